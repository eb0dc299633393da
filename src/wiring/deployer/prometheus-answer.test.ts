import fc from "fast-check";
import { expect, test } from "vitest";
import { judgePrometheusAnswer } from "./prometheus-answer.ts";

const sample = (value: unknown, metric: object = {}) => ({ metric, value: [1_764_432_000.123, value] });
const success = (data: object, more: object = {}) => JSON.stringify({ status: "success", data, ...more });
const vector = (...result: readonly object[]) => success({ resultType: "vector", result });

test.each([
  ["one sample", vector(sample("1"))],
  ["samples", vector(sample("0.5", { job: "a" }), sample("-3"), sample("1e+06"), sample("+Inf"))],
  ["a scalar", success({ resultType: "scalar", result: [1, "2"] })],
  [
    "a remark that something could be better",
    success({ resultType: "scalar", result: [1, "1"] }, { infos: ["x"] }),
  ],
])("%s passes", (_, text) => {
  expect(judgePrometheusAnswer(200, text)).toEqual({ ok: true });
});

test.each([
  ["0", vector(sample("1"), sample("0", { __name__: "up", job: "node" })), 'up{job="node"} is 0'],
  ["-0", vector(sample("-0")), "the value is -0"],
  ["NaN", vector(sample("NaN", { __name__: "ratio" })), "ratio is NaN"],
  ["a scalar 0", success({ resultType: "scalar", result: [1, "0"] }), "the value is 0"],
  [
    "a histogram",
    vector({ metric: { le: "a" }, histogram: [1, { count: "3" }] }),
    '{le="a"} is a histogram, not a number',
  ],
  [
    "many",
    vector(...["a", "b", "c", "d", "e"].map((job) => sample("0", { job }))),
    '{job="a"} is 0, {job="b"} is 0, {job="c"} is 0, and 2 more series',
  ],
  [
    "0 with a warning",
    success({ resultType: "vector", result: [sample("0")] }, { warnings: ["remote read failed"] }),
    "the value is 0 (warnings: remote read failed)",
  ],
])("%s fails, and which series it is is said", (_, text, detail) => {
  expect(judgePrometheusAnswer(200, text)).toEqual({ ok: false, code: "GATE_FAILED", detail });
});

test.each([
  ["no series", 200, vector(), "the query gives no data"],
  [
    "an answer from which something is missing",
    200,
    success({ resultType: "vector", result: [sample("1")] }, { warnings: ["store a: timeout", "b"] }),
    "something is missing in the answer (warnings: store a: timeout; b)",
  ],
  [
    "a matrix",
    200,
    success({ resultType: "matrix", result: [] }),
    "the query gives a matrix, which has no samples to judge",
  ],
  [
    "an error",
    400,
    JSON.stringify({ status: "error", errorType: "bad_data", error: "1:2: parse error" }),
    "bad_data: 1:2: parse error",
  ],
  ["nothing", 200, "", "the answer is not one of Prometheus: it is empty"],
  [
    "a web page",
    200,
    "<html><title>Sign in</title>",
    "the answer is not one of Prometheus: a web page, Sign in",
  ],
  ["a proxy", 502, "Bad gateway\n", "the answer is not one of Prometheus: 502: Bad gateway"],
  ["a value that is none", 200, vector(sample("yes")), expect.stringContaining("not one of Prometheus")],
  ["a value that is a number", 200, vector(sample(1)), expect.stringContaining("not one of Prometheus")],
  ["an empty value", 200, vector(sample("")), expect.stringContaining("not one of Prometheus")],
  ["success without data", 200, success({}), expect.stringContaining("not one of Prometheus")],
])("%s is no data", (_, status, text, detail) => {
  expect(judgePrometheusAnswer(status, text)).toEqual({ ok: false, code: "GATE_NO_DATA", detail });
});

test("what is said of an answer is one short line that acts on no terminal and shows no secret", () => {
  const token = `ghp_${"a1B2".repeat(9)}`;
  const nasty = { job: `\u001b[31mred\n${token}`, long: "x".repeat(5000) };
  const answer = judgePrometheusAnswer(200, vector(sample("0", nasty)));
  const detail = answer.ok ? "" : answer.detail;
  expect(detail).toContain("red");
  expect(detail).not.toContain(token);
  expect(detail).toMatch(/^[ -~…]{1,601}$/);
});

test("whatever comes, it passes only with samples that are all numbers other than 0", () => {
  const value = fc.constantFrom("0", "1", "-1.5", "NaN", "+Inf", "0.0", "-0", "", "x", 1, null);
  const answer = fc.record({
    status: fc.constantFrom("success", "error", "ok"),
    data: fc.record({
      resultType: fc.constantFrom("vector", "scalar", "matrix"),
      result: fc.oneof(
        fc.array(fc.record({ metric: fc.constant({}), value: fc.tuple(fc.constant(1), value) })),
        fc.tuple(fc.constant(1), value),
      ),
    }),
  });
  fc.assert(
    fc.property(answer, ({ status, data }) => {
      const judged = judgePrometheusAnswer(200, JSON.stringify({ status, data }));
      if (!judged.ok) return;
      expect(status).toBe("success");
      const values = (data.resultType === "scalar" ? [{ value: data.result }] : data.result) as {
        value: [number, string];
      }[];
      expect(values.length).toBeGreaterThan(0);
      for (const each of values) expect(["1", "-1.5", "+Inf"]).toContain(each.value[1]);
    }),
    { numRuns: 2000 },
  );
});
