import { JetStreamApiError } from "@nats-io/jetstream";
import {
  InvalidArgumentError,
  NoRespondersError,
  PermissionViolationError,
  RequestError,
  TimeoutError,
} from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { ConnectionLostError, explainNatsError, isTransient, isWrongLastSequence } from "./nats-errors.ts";

const apiError = (err_code: number, code = 400, description = "…"): JetStreamApiError =>
  new JetStreamApiError({ code, err_code, description });
const violation = new PermissionViolationError("…", "publish", "build.a.b");

test.each([
  ["a timeout", new TimeoutError(), true],
  ["a lost connection", new ConnectionLostError(), true],
  ["a full disk", apiError(10_023, 503), true],
  ["a full account", apiError(10_002), true],
  ["a server that is not ready", apiError(10_008, 503), true],
  ["a full queue", apiError(10_077, 503, "maximum messages exceeded"), false],
  ["a queue of too many bytes", apiError(10_077, 503, "maximum bytes exceeded"), false],
  ["a full disk under 2.9", apiError(10_077, 503, "no space left on device"), true],
  ["a refused compare-and-swap", apiError(10_071, 400, "wrong last sequence: 7"), false],
  // As nats-server 2.15 answers.
  ["our earlier attempt in a cluster", apiError(10_158, 409, "duplicate message id is in process"), true],
  ["a compare-and-swap that another precedes", apiError(10_164, 400, "wrong last sequence"), true],
  ["an overloaded server", apiError(10_167, 429, "too many requests"), true],
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
  ["a full account", apiError(10_002), "unavailable", "NATS_STORAGE"],
  ["a timeout", new TimeoutError(), "unavailable", "NATS_TIMEOUT"],
  ["an attempt without a decision", apiError(10_158, 409), "unavailable", "NATS_TIMEOUT"],
  ["anything else", new Error("…"), "unavailable", "NATS_ERROR"],
  ["a bug of our own", new TypeError("x is not a function"), "bug", "INTERNAL"],
])("explains %s", (_, error, kind, code) => {
  const explained = explainNatsError(error, "store the request");
  expect(explained).toMatchObject({ kind, code, cause: error });
  expect(explained.hint).toBeTruthy();
});

test("a compare-and-swap is refused only once the server has decided", () => {
  expect([10_071, 10_164, 10_037].map((code) => isWrongLastSequence(apiError(code)))).toEqual([
    true,
    false,
    false,
  ]);
});

const noAnswer = new RequestError("…", { cause: new NoRespondersError("$JS.API.INFO") });
const ofAccount = Object.assign(new Error("…", { cause: apiError(10_039, 503) }), {
  name: "JetStreamNotEnabled",
});

test.each([
  ["the account", ofAccount, { jetstream: true }, undefined, /our account .* has no JetStream/],
  ["the account, in the server's words", apiError(10_039, 503), {}, undefined, /our account .* has no/],
  ["the server", noAnswer, { server_name: "leaf1" }, undefined, /the NATS server leaf1 has no JetStream/],
  ["a leaf node of 2.9, which is silent", new TimeoutError(), {}, undefined, /has no JetStream/],
  ["the domain", noAnswer, { jetstream: true }, "hub", /the JetStream domain hub does not answer/],
  ["a stream", apiError(10_059, 404), {}, undefined, /one of our streams is missing/],
  ["nobody knows what", noAnswer, { jetstream: true }, undefined, /JetStream or one of our streams/],
  ["nobody knows what, while it connects", noAnswer, undefined, undefined, /JetStream or one of our streams/],
])("says that it is %s that is missing", (_, error, info, jetstreamDomain, message) => {
  const explained = explainNatsError(error, "look", { nats: { info }, jetstreamDomain });
  expect(explained).toMatchObject({ kind: "unavailable", code: "JETSTREAM_MISSING" });
  expect(explained.message).toMatch(message);
});

test("a server that is slow is not taken for one without JetStream", () => {
  for (const asked of [
    undefined,
    { nats: { info: undefined }, jetstreamDomain: undefined },
    { nats: { info: { jetstream: true } }, jetstreamDomain: undefined },
    { nats: { info: {} }, jetstreamDomain: "hub" },
  ])
    expect(explainNatsError(new TimeoutError(), "look", asked).code).toBe("NATS_TIMEOUT");
});

test.each([
  ["nobody answers", noAnswer],
  ["JetStream has no leader", apiError(10_008, 503)],
  ["another server is asked", apiError(10_009, 500)],
])("in a cluster where %s, nobody is advised to enable JetStream", (_, error) => {
  const asked = { nats: { info: { jetstream: true } }, jetstreamDomain: undefined, cluster: "homelab" };
  const explained = explainNatsError(error, "look", asked);
  expect(explained).toMatchObject({
    kind: "unavailable",
    code: "NATS_NO_LEADER",
    message: "cannot look: the NATS cluster homelab has no leader for it",
  });
  expect(explained.hint).not.toContain("enable JetStream");
  expect(explained.hint).toContain("homelab-deploy doctor");
});

test("behind a leaf node whose hub is a cluster, it is the hub that has no leader", () => {
  const asked = { nats: { info: {} }, jetstreamDomain: "hub" };
  expect(explainNatsError(apiError(10_008, 503), "look", asked)).toMatchObject({
    code: "NATS_NO_LEADER",
    message: "cannot look: the NATS cluster of the JetStream domain hub has no leader for it",
  });
});

test("a domain that the key may not ask may be the wrong one", () => {
  const ofDomain = new PermissionViolationError("…", "publish", "$JS.hbu.API.STREAM.INFO.BUILD_EVENTS");
  const asked = { nats: { info: {} }, jetstreamDomain: "hbu" };
  expect(explainNatsError(ofDomain, "look", asked)).toMatchObject({
    code: "NATS_PERMISSION",
    hint: expect.stringContaining("nats.jetstreamDomain, hbu"),
  });
});

test("behind a leaf node that is one of a cluster, it is the hub that does not answer", () => {
  const asked = { nats: { info: { jetstream: true } }, jetstreamDomain: "hub", cluster: "leaves" };
  expect(explainNatsError(noAnswer, "look", asked).message).toContain("the JetStream domain hub does not");
});

test("in a cluster, what a server says is missing is missing", () => {
  const asked = { nats: { info: { jetstream: true } }, jetstreamDomain: undefined, cluster: "homelab" };
  const without = { ...asked, nats: { info: {} } };
  for (const [error, whom] of [
    [apiError(10_059, 404), asked],
    [ofAccount, asked],
    [noAnswer, without],
  ] as const)
    expect(explainNatsError(error, "look", whom).code).toBe("JETSTREAM_MISSING");
  expect(explainNatsError(new TimeoutError(), "look", asked).hint).toContain("of the cluster homelab run");
});

test("where the server has a domain of its own, streams that are missing may be in another", () => {
  const asked = { nats: { info: { jetstream: true, domain: "leaf" } }, jetstreamDomain: undefined };
  expect(explainNatsError(apiError(10_059, 404), "look", asked).hint).toContain(
    "has the JetStream domain leaf: if the streams are in another one, set nats.jetstreamDomain",
  );
});

test("a message above max_payload names it", () => {
  const error = new InvalidArgumentError("max_payload size exceeded");
  const asked = { nats: { info: { max_payload: 4096 } }, jetstreamDomain: undefined };
  expect(explainNatsError(error, "look", asked)).toMatchObject({
    code: "TOO_LARGE",
    message: expect.stringContaining("max_payload, 4096 bytes"),
  });
});
