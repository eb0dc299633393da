// Asks gates over HTTP. They are named by the rollout's policy, and whoever answers there is not trusted with anything.
import { explainCertificateError } from "../../base/certificate-error.ts";
import { readBoundedBody } from "../../base/bounded-body.ts";
import type { Clock } from "../../base/clock.ts";
import { withDeadline } from "../../base/deadline.ts";
import { causesOf, messageOf } from "../../base/errors.ts";
import type { Gate } from "../../protocol/rollout/rollout-policy.ts";
import { refusalOf } from "../../redact/refusal-line.ts";
import type { GateAnswer, Gates } from "../../rollout/gates.ts";
import { gateDetail } from "./gate-detail.ts";
import { judgePrometheusAnswer } from "./prometheus-answer.ts";

const timeoutMs = 10_000;
const maxAnswerBytes = 1024 * 1024;

export interface GatesOptions {
  readonly fetch: typeof globalThis.fetch;
  readonly clock: Clock;
}

export function createGates({ fetch, clock }: GatesOptions): Gates {
  const deadline = {
    clock,
    milliseconds: timeoutMs,
    error: () => new Error(`nothing within ${timeoutMs / 1000} s`),
  };
  return {
    async ask(gate, signal) {
      signal.throwIfAborted();
      try {
        return await withDeadline(deadline, signal, async (until) => ask(gate, fetch, until));
      } catch (error) {
        signal.throwIfAborted();
        const detail = gateDetail(`${hostOf(gate)} gives no answer: ${whyNot(error, gate)}`);
        return { ok: false, code: "GATE_NO_DATA", detail };
      }
    },
  };
}

async function ask(gate: Gate, fetch: GatesOptions["fetch"], signal: AbortSignal): Promise<GateAnswer> {
  // A redirect could lead to somebody else's answer. Each query has its own connection: the server may end a kept one meanwhile.
  const options = { redirect: "manual", signal } as const;
  const headers = { "user-agent": "homelab-deploy", connection: "close" };
  if (gate.kind === "http") return judgePage(await fetch(gate.url, { ...options, headers }), gate);
  const response = await fetch(`${gate.url.replace(/\/+$/, "")}/api/v1/query`, {
    ...options,
    // In the body, because a long query is too long for the address of some servers.
    method: "POST",
    headers: { ...headers, accept: "application/json" },
    body: new URLSearchParams({ query: gate.query, timeout: `${timeoutMs / 1000}s` }),
  });
  const moved = redirectOf(response);
  if (moved !== undefined) {
    await response.body?.cancel();
    return { ok: false, code: "GATE_NO_DATA", detail: gateDetail(`${hostOf(gate)} ${moved}`) };
  }
  return judgePrometheusAnswer(response.status, await readBoundedBody(response, maxAnswerBytes));
}

async function judgePage(response: Response, gate: Gate): Promise<GateAnswer> {
  if (response.ok) {
    await response.body?.cancel();
    return { ok: true };
  }
  const said = redirectOf(response) ?? `answers ${await refusalOf(response, [])}`;
  return { ok: false, code: "GATE_FAILED", detail: gateDetail(`${hostOf(gate)} ${said}`) };
}

/** In words, without the query of the address, in which a proxy for sign-in keeps its state. */
function redirectOf({ status, headers }: Response): string | undefined {
  if (status < 300 || status >= 400) return undefined;
  const to = headers.get("location")?.split(/[?#]/)[0] ?? "";
  return `answers with a redirect (${status})${to === "" ? "" : ` to ${to}`}, which is not followed`;
}

const hostOf = ({ url }: Gate): string => URL.parse(url)?.host ?? "the address";

/** fetch itself says only "fetch failed"; what happened is in the cause. */
const whyNot = (error: unknown, gate: Gate): string => {
  const untrusted = explainCertificateError(error, hostOf(gate));
  if (untrusted !== undefined) return `${untrusted.message}; ${untrusted.hint ?? ""}`;
  return causesOf(error)[0] ?? messageOf(error);
};
