// Tells systemd that a service has started. The protocol is a datagram to $NOTIFY_SOCKET (sd_notify(3)), and Node has no
// datagram sockets of that kind; systemd's own program sends it instead. The unit needs `NotifyAccess=all`, because that
// program is not the main process.
import type { Environment } from "../base/environment.ts";
import { messageOf } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Exec } from "../process/exec.ts";

const patienceMs = 10_000;

/** Nothing where nobody wants to know. Never throws but when aborted: what is not told, systemd sees by itself. */
export async function notifyReady(
  { exec, environment, log }: { readonly exec: Exec; readonly environment: Environment; readonly log: Log },
  signal: AbortSignal,
): Promise<void> {
  const socket = environment["NOTIFY_SOCKET"];
  if (socket === undefined || socket === "") return;
  const env = { PATH: environment["PATH"] ?? "", NOTIFY_SOCKET: socket };
  try {
    const { exitCode, stderrTail } = await exec("systemd-notify", ["--ready"], {
      env,
      signal,
      timeoutMs: patienceMs,
    });
    if (exitCode !== 0)
      log.error({ exitCode, stderr: stderrTail.slice(-500) }, "readiness could not be reported to systemd");
  } catch (error) {
    signal.throwIfAborted();
    log.error({ error: messageOf(error) }, "readiness could not be reported to systemd");
  }
}
