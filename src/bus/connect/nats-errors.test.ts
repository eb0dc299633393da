import { JetStreamApiError } from "@nats-io/jetstream";
import { PermissionViolationError, RequestError, TimeoutError } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { ConnectionLostError, explainNatsError, isTransient, isWrongLastSequence } from "./nats-errors.ts";

const apiError = (err_code: number, code = 400, description = "…"): JetStreamApiError =>
  new JetStreamApiError({ code, err_code, description });
const violation = new PermissionViolationError("…", "publish", "build.a.b");

test.each([
  ["a timeout", new TimeoutError(), true],
  ["a lost connection", new ConnectionLostError(), true],
  ["a full disk", apiError(10_023, 503), true],
  ["a server that is not ready", apiError(10_008, 503), true],
  ["a full queue", apiError(10_077, 503, "maximum messages exceeded"), false],
  ["a queue of too many bytes", apiError(10_077, 503, "maximum bytes exceeded"), false],
  ["a full disk under 2.9", apiError(10_077, 503, "no space left on device"), true],
  ["a refused compare-and-swap", apiError(10_071), false],
  ["a missing right", new RequestError("…", { cause: violation }), false],
  ["anything else", new Error("…"), false],
])("%s may pass by itself: %s", (_, error, expected) => {
  expect(isTransient(error)).toBe(expected);
});

test.each([
  ["a missing right", new RequestError("…", { cause: violation }), "refused", "NATS_PERMISSION"],
  [
    "no JetStream",
    Object.assign(new Error("…"), { name: "JetStreamNotEnabled" }),
    "unavailable",
    "JETSTREAM_MISSING",
  ],
  ["a missing stream", apiError(10_059, 404), "unavailable", "JETSTREAM_MISSING"],
  ["a full queue", apiError(10_077, 503, "maximum messages exceeded"), "unavailable", "QUEUE_FULL"],
  ["a full disk under 2.9", apiError(10_077, 503, "no space left on device"), "unavailable", "NATS_STORAGE"],
  ["a message that is too large", apiError(10_054), "usage", "TOO_LARGE"],
  ["a full disk", apiError(10_023, 503), "unavailable", "NATS_STORAGE"],
  ["a timeout", new TimeoutError(), "unavailable", "NATS_TIMEOUT"],
  ["anything else", new Error("…"), "unavailable", "NATS_ERROR"],
  ["a bug of our own", new TypeError("x is not a function"), "bug", "INTERNAL"],
])("explains %s", (_, error, kind, code) => {
  const explained = explainNatsError(error, "store the request");
  expect(explained).toMatchObject({ kind, code, cause: error });
  expect(explained.hint).toBeTruthy();
});

test("knows both codes of a refused compare-and-swap", () => {
  expect([10_071, 10_164, 10_037].map((code) => isWrongLastSequence(apiError(code)))).toEqual([
    true,
    true,
    false,
  ]);
});
