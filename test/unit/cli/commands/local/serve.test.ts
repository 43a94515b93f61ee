import { expect, test } from "vitest";
import { createPaperTerminal, runOnPaper } from "../../../../support/paper-terminal.ts";

test.each(["serve", "demo"])("%s runs until a signal, then closes and exits 0", async (command) => {
  const terminal = createPaperTerminal();
  const told: string[] = [];
  const start = async () => {
    told.push("started");
    setImmediate(terminal.stop);
    return {
      ok: true,
      warnings: [],
      close: async () => {
        told.push("closed");
      },
    } as const;
  };
  const { code } = await runOnPaper([command], { terminal, engine: { serve: start, demo: start } });
  expect({ code, told }).toEqual({ code: 0, told: ["started", "closed"] });
});

test("a signal during the start ends what was started", async () => {
  const terminal = createPaperTerminal();
  let isClosed = false;
  const serve = async () => {
    terminal.stop();
    return {
      ok: true,
      warnings: [],
      close: async () => {
        isClosed = true;
      },
    } as const;
  };
  expect((await runOnPaper(["serve"], { terminal, engine: { serve } })).code).toBe(0);
  expect(isClosed).toBe(true);
});

test("a second signal ends the process at once", async () => {
  const terminal = createPaperTerminal();
  let abandoned = 0;
  const serve = async () => {
    setImmediate(terminal.stop);
    return {
      ok: true,
      warnings: [],
      close: async () => {
        expect(abandoned).toBe(0);
        terminal.stop();
      },
    } as const;
  };
  const abandon = () => {
    abandoned += 1;
  };
  await runOnPaper(["serve"], { terminal, engine: { serve }, abandon });
  expect(abandoned).toBe(1);
});

test("a taken port is a failure that says what to do", async () => {
  const serve = async () => {
    throw Object.assign(new Error("listen EADDRINUSE: address already in use 127.0.0.1:8080"), {
      code: "EADDRINUSE",
    });
  };
  const { code, stderr } = await runOnPaper(["serve"], { engine: { serve } });
  expect(code).toBe(1);
  expect(stderr).toContain("127.0.0.1:8080\n  Something listens there already");
});

test("a bad configuration exits 2", async () => {
  const { code } = await runOnPaper(["serve"], {
    engine: { serve: async () => ({ ok: false, problems: [] }) },
  });
  expect(code).toBe(2);
});

test("SIGUSR1 rolls back what runs, also when it came during the start", async () => {
  const terminal = createPaperTerminal();
  let broken = 0;
  const serve = async () => {
    terminal.breakGlass();
    expect(broken).toBe(0);
    setImmediate(() => {
      expect(broken).toBe(1);
      terminal.breakGlass();
      terminal.stop();
    });
    return {
      ok: true,
      warnings: [],
      close: async () => {},
      breakGlass: () => {
        broken += 1;
      },
    } as const;
  };
  expect((await runOnPaper(["serve"], { terminal, engine: { serve } })).code).toBe(0);
  expect(broken).toBe(2);
});

test("SIGHUP has what runs read its configuration again, SIGUSR2 replaces its workers; neither ends it", async () => {
  const terminal = createPaperTerminal();
  const heard: string[] = [];
  const serve = async () => {
    setImmediate(() => {
      terminal.hangUp();
      terminal.restart();
      heard.push("still there");
      terminal.stop();
    });
    return {
      ok: true,
      warnings: [],
      close: async () => void heard.push("closed"),
      reload: async () => void heard.push("reload"),
      restartWorkers: async () => void heard.push("restart"),
    } as const;
  };
  expect((await runOnPaper(["serve"], { terminal, engine: { serve } })).code).toBe(0);
  expect(heard).toEqual(["reload", "restart", "still there", "closed"]);
});

test("SIGHUP ends what has nothing to read again, as a terminal that is closed does", async () => {
  const terminal = createPaperTerminal();
  const demo = async () => {
    setImmediate(() => terminal.hangUp());
    return { ok: true, warnings: [], close: async () => {} } as const;
  };
  expect((await runOnPaper(["demo"], { terminal, engine: { demo } })).code).toBe(0);
});
