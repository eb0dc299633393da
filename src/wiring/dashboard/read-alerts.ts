// The alerts of homelab-deploy's rules, from Prometheus' API (https://prometheus.io/docs/prometheus/latest/querying/api/#alerts).
import * as v from "valibot";
import { HomelabError, messageOf } from "../../base/errors.ts";
import type { Alert, AlertState } from "../../fleet/alert-state.ts";

const patienceMs = 5000;
const maxBytes = 1024 * 1024;
const mostAlerts = 100;

const text = v.pipe(
  v.optional(v.string(), ""),
  v.transform((value) => value.slice(0, 1000)),
);
const Answer = v.object({
  status: v.literal("success"),
  data: v.object({
    alerts: v.array(
      v.object({
        labels: v.looseObject({ alertname: text, severity: text }),
        annotations: v.optional(v.looseObject({ summary: text }), {}),
        state: v.picklist(["firing", "pending"]),
        activeAt: v.pipe(v.string(), v.isoTimestamp()),
      }),
    ),
  }),
});

/** Other alerts of the same Prometheus do not concern us. */
const ownPrefix = "HomelabDeploy";

/** Undefined where no Prometheus is configured. That it does not answer is an answer. */
export async function readAlerts(
  url: string | undefined,
  signal: AbortSignal,
): Promise<AlertState | undefined> {
  if (url === undefined) return undefined;
  const soon = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
  try {
    const response = await fetch(`${url.replace(/\/$/, "")}/api/v1/alerts`, {
      signal: soon,
      redirect: "error",
      headers: { accept: "application/json" },
    });
    if (!response.ok) throw unusable(`it answers with HTTP status ${response.status}`);
    return { url, alerts: alertsOf(await boundedText(response)) };
  } catch (error) {
    signal.throwIfAborted();
    return { url, reason: soon.aborted ? `no answer within ${patienceMs / 1000} s` : messageOf(error) };
  }
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.byteLength;
    if (length > maxBytes) throw unusable("its answer is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** @throws HomelabError if the answer is not a list of alerts. The firing ones come first. */
export function alertsOf(answer: string): readonly Alert[] {
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), Answer), answer);
  if (!result.success) throw unusable("it is not Prometheus that answers");
  return result.output.data.alerts
    .filter(({ labels }) => labels.alertname.startsWith(ownPrefix))
    .map(({ labels, annotations, state, activeAt }) => ({
      name: labels.alertname,
      severity: labels.severity,
      state,
      since: activeAt,
      summary: annotations.summary ?? "",
    }))
    .toSorted((a, b) => a.state.localeCompare(b.state) || a.since.localeCompare(b.since))
    .slice(0, mostAlerts);
}

const unusable = (message: string): HomelabError =>
  new HomelabError("unavailable", message, { code: "PROMETHEUS_UNUSABLE" });
