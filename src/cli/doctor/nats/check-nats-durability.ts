// Whether what NATS acknowledges survives a power cut. No client can see that; the server's monitoring pages tell.
import * as v from "valibot";
import { messageOf } from "../../../base/errors.ts";
import { isAtLeast } from "../../../base/version.ts";
import { refusalOf } from "../../../redact/refusal-line.ts";
import { ok, unknown, warning, wrong, type Finding } from "../finding.ts";

const check = "NATS durability";
const advice = "set in the server's configuration: jetstream { sync_interval: always }";
/** What the documentation of nats-server uses, and `homelab-deploy nats config` prints. */
const usualPort = 8222;
const timeoutMs = 2000;

/** The part of `/varz` that we read. Durations are nanoseconds. */
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

export interface AskedServer {
  /** `nats.lan:4222`, as the connection has it. */
  readonly address: string;
  readonly version: string | undefined;
  /** `nats.monitoringUrl`; without it the usual port of the same host is tried. */
  readonly monitoringUrl: string | undefined;
}

export async function checkNatsDurability(
  { address, version, monitoringUrl }: AskedServer,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<Finding> {
  // It does not know the setting, and would not start with it.
  if (!isAtLeast(version, "2.10.0")) {
    const message = `nats-server ${version ?? "of an unknown version"}: a power cut loses what was acknowledged in the last two minutes`;
    return warning(check, message, "use nats-server 2.10 or newer, with jetstream { sync_interval: always }");
  }
  const base = monitoringUrl ?? `http://${address.replace(/:\d+$/, "")}:${usualPort}`;
  const url = `${base.replace(/\/+$/, "")}/varz`;
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) });
    if (!response.ok) throw new Error(`it answers ${await refusalOf(response, [])}`);
    return judgeVarz(await response.json());
  } catch (error) {
    signal.throwIfAborted();
    const where =
      monitoringUrl === undefined
        ? `set nats.monitoringUrl to its monitoring pages, or run doctor on its machine with http: "127.0.0.1:${usualPort}" in its configuration`
        : "correct nats.monitoringUrl";
    return unknown(
      check,
      `whether acknowledged messages survive a power cut cannot be seen: ${url}: ${messageOf(error)}`,
      `to see it, ${where}; it should have jetstream { sync_interval: always }`,
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
