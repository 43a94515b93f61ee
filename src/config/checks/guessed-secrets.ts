/** Secrets that whoever guesses tries first. The configuration knows secrets by their SHA-256 alone. */
import { hash } from "node:crypto";

const words = [
  ...[
    "secret",
    "password",
    "passwd",
    "pass",
    "passwort",
    "letmein",
    "changeme",
    "change-me",
    "qwerty",
    "welcome",
  ],
  ...[
    "test",
    "tester",
    "testing",
    "qa",
    "dev",
    "debug",
    "demo",
    "staging",
    "stage",
    "prod",
    "preview",
    "beta",
  ],
  ...[
    "admin",
    "root",
    "user",
    "guest",
    "operator",
    "token",
    "apikey",
    "api-key",
    "key",
    "default",
    "example",
  ],
  ...["cutover", "force", "forced", "override", "legacy", "new", "old", "canary", "shop", "checkout", "cart"],
  ...[
    "hunter2",
    "s3cret",
    "s3cr3t",
    "p4ssw0rd",
    "passw0rd",
    "abc",
    "abc123",
    "foo",
    "bar",
    "foobar",
    "x",
    "yes",
    "on",
  ],
  ...[
    "true",
    "1",
    "12",
    "123",
    "1234",
    "12345",
    "123456",
    "1234567",
    "12345678",
    "123456789",
    "1234567890",
    "0000",
  ],
  ...[
    "correct horse battery staple",
    "correct-horse-battery-staple",
    "iloveyou",
    "monkey",
    "dragon",
    "sunshine",
  ],
];
const endings = ["", "1", "12", "123", "1234", "!", "2024", "2025", "2026"];

/** @param names of this configuration, which are guessed as well @returns whether a SHA-256, lower-case hex, is of a secret that is guessed */
export function createGuesses(names: readonly string[]): (sha256: string) => boolean {
  const guesses = [...words, ...names].flatMap((word) =>
    [word, word.toUpperCase(), `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`].flatMap((spelled) =>
      endings.map((ending) => hash("sha256", `${spelled}${ending}`)),
    ),
  );
  const known = new Set(["", "\n", ...words.map((word) => `${word}\n`)].map((text) => hash("sha256", text)));
  for (const guess of guesses) known.add(guess);
  return (sha256) => known.has(sha256);
}
