/**
 * Listening sockets that a supervisor holds and hands over (sd_listen_fds(3)), so that a restart loses no connection:
 * what comes while one process ends and the next one starts waits in the socket. Descriptors begin at 3; those named
 * `proxy` and `admin` are told by their names, without names the first is the proxy's and the second the admin's.
 */
export interface InheritedSockets {
  readonly proxy?: number;
  readonly admin?: number;
}

const firstDescriptor = 3;

/** @param pid of this process: sockets that are meant for another are not taken */
export function inheritedSockets(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): InheritedSockets {
  const count = Number(env.LISTEN_FDS ?? "");
  if (!Number.isInteger(count) || count < 1 || env.LISTEN_PID !== String(pid)) return {};
  const names = (env.LISTEN_FDNAMES ?? "").split(":");
  const isNamed = names.includes("proxy") || names.includes("admin");
  const at = (name: string, place: number): number | undefined => {
    const index = isNamed ? names.indexOf(name) : place;
    return index >= 0 && index < count ? firstDescriptor + index : undefined;
  };
  const [proxy, admin] = [at("proxy", 0), at("admin", 1)];
  return { ...(proxy === undefined ? {} : { proxy }), ...(admin === undefined ? {} : { admin }) };
}
