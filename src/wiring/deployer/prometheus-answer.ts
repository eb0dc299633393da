// What Prometheus answered, as a gate takes it: https://prometheus.io/docs/prometheus/latest/querying/api/
import * as v from "valibot";
import { decodeJson } from "../../base/json.ts";
import { describeRefusal, refusalLine } from "../../redact/refusal-line.ts";
import type { GateAnswer } from "../../rollout/gates.ts";
import { gateDetail } from "./gate-detail.ts";

const Value = v.pipe(v.string(), v.regex(/^(?:NaN|[+-]?Inf|[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/));
const TimedValue = v.tuple([v.number(), Value]);
const texts = v.optional(v.array(v.string()), []);

const Series = v.object({
  metric: v.record(v.string(), v.string()),
  value: v.optional(TimedValue),
  /** Instead of a value. */
  histogram: v.optional(v.unknown()),
});
type Series = v.InferOutput<typeof Series>;

const Answer = v.variant("status", [
  v.object({
    status: v.literal("success"),
    data: v.variant("resultType", [
      v.object({ resultType: v.literal("vector"), result: v.array(Series) }),
      v.object({ resultType: v.literal("scalar"), result: TimedValue }),
      v.object({ resultType: v.literal("matrix") }),
      v.object({ resultType: v.literal("string") }),
    ]),
    /** Something was left out of the answer. What only could be better comes as `infos`. */
    warnings: texts,
  }),
  v.object({ status: v.literal("error"), errorType: v.string(), error: v.string(), warnings: texts }),
]);

const mostNamed = 3;

/** Passes with at least one sample, if every one of them is a number other than 0, and nothing was left out. */
export function judgePrometheusAnswer(status: number, text: string): GateAnswer {
  const answer = decodeJson(Answer, text);
  if (answer === undefined) {
    const isFine = status >= 200 && status < 300;
    const said = isFine ? refusalLine(text, []) : describeRefusal(status, text, []);
    return noData(`the answer is not one of Prometheus: ${said === "" ? "it is empty" : said}`);
  }
  const warned = answer.warnings.length === 0 ? "" : ` (warnings: ${answer.warnings.join("; ")})`;
  if (answer.status === "error") return noData(`${answer.errorType}: ${answer.error}${warned}`);
  const { data } = answer;
  if (data.resultType === "matrix" || data.resultType === "string") {
    return noData(`the query gives a ${data.resultType}, which has no samples to judge`);
  }
  const series: readonly Series[] =
    data.resultType === "vector" ? data.result : [{ metric: {}, value: data.result }];
  if (series.length === 0) return noData(`the query gives no data${warned}`);
  const bad = series.filter((each) => !isGood(each));
  if (bad.length > 0) return { ok: false, code: "GATE_FAILED", detail: gateDetail(`${named(bad)}${warned}`) };
  if (warned !== "") return noData(`something is missing in the answer${warned}`);
  return { ok: true };
}

const noData = (detail: string): GateAnswer => ({
  ok: false,
  code: "GATE_NO_DATA",
  detail: gateDetail(detail),
});

/** Infinity is a number. */
const isGood = ({ value }: Series): boolean =>
  value !== undefined && value[1] !== "NaN" && Number(value[1]) !== 0;

function named(series: readonly Series[]): string {
  const words = series
    .slice(0, mostNamed)
    .map((each) => `${nameOf(each)} is ${each.value?.[1] ?? "a histogram, not a number"}`);
  const more = series.length - mostNamed;
  return `${words.join(", ")}${more > 0 ? `, and ${more} more series` : ""}`;
}

/** Almost as PromQL writes it: `up{job="node"}`. Nothing is escaped, which could hide what looks like a secret. */
function nameOf({ metric: { __name__: name = "", ...labels } }: Series): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  if (pairs.length === 0) return name === "" ? "the value" : name;
  return `${name}{${pairs.join(",")}}`;
}
