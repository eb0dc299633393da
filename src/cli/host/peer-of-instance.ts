// Which process is at the other end of a connection to the activator's socket, as systemd says it in the name of the unit.
import { HomelabError } from "../../base/errors.ts";

/**
 * What `instance_from_socket` of systemd's src/core/socket.c writes for AF_UNIX: number of the connection, process, user; newer
 * versions also have the socket's cookie and the inode of the process's pidfd: `7-1234-990`, `7-88211-1234_5678-990`. Where
 * the kernel does not tell the peer it is `7-unknown`.
 */
const instance = /^\d{1,20}(?:-\d{1,20})?-(?<pid>[1-9]\d{0,9})(?:_\d{1,20})?-\d{1,10}$/;

/** @returns its process id. @throws HomelabError `usage` `BAD_ARGUMENTS` */
export function peerOfInstance(text: string): number {
  const pid = instance.exec(text)?.groups?.["pid"];
  if (pid !== undefined) return Number(pid);
  throw new HomelabError("usage", `${JSON.stringify(text.slice(0, 80))} does not identify the other end`, {
    code: "BAD_ARGUMENTS",
    hint: "systemd gives it: the unit passes --peer %i, the instance of a socket with Accept=yes",
  });
}
