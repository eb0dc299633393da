// Whether what NATS acknowledges survives a power cut. No client can see that; the server's monitoring pages tell.
import * as v from "valibot";
import { messageOf } from "../../base/errors.ts";
import { refusalOf } from "../../redact/refusal-line.ts";
import { ok, unknown, wrong, type Finding } from "./finding.ts";

const check = "NATS durability";
const advice = "set in the server's configuration: jetstream { sync_interval: always }";
const monitoringPort = 8222;
const timeoutMs = 2000;

/** Of `/varz`. Durations are nanoseconds. */
const Varz = v.object({
  server_id: v.string(),
  jetstream: v.optional(
    v.object({
      config: v.optional(
        v.object({ sync_interval: v.optional(v.number()), sync_always: v.optional(v.boolean(), false) }),
      ),
    }),
  ),
});

/**
 * @param server `nats.lan:4222`, as the connection has it; its monitoring is tried on the usual port
 */
export async function checkNatsDurability(
  server: string,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<Finding> {
  const host = server.replace(/:\d+$/, "");
  const url = `http://${host}:${monitoringPort}/varz`;
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) });
    if (!response.ok) throw new Error(`it answers ${await refusalOf(response, [])}`);
    return judgeVarz(await response.json());
  } catch (error) {
    signal.throwIfAborted();
    return unknown(
      check,
      `whether acknowledged messages survive a power cut cannot be seen: ${url}: ${messageOf(error)}`,
      `${advice}; run doctor on the server's machine with its monitoring on (http: "127.0.0.1:8222") to prove it`,
    );
  }
}

export function judgeVarz(answer: unknown): Finding {
  const parsed = v.safeParse(Varz, answer);
  if (!parsed.success) return unknown(check, "its monitoring pages are not those of a nats-server", advice);
  const config = parsed.output.jetstream?.config;
  if (config === undefined) return wrong(check, "the server runs without JetStream", advice);
  if (config.sync_always) return ok(check, "what is acknowledged is on the disk (sync_interval: always)");
  const seconds = (config.sync_interval ?? 120e9) / 1e9;
  return wrong(check, `a power cut loses what was acknowledged in the last ${seconds} s`, advice);
}
