import { expect, test } from "vitest";
import { decideNatsTarget, defaultServer } from "./nats-options.ts";

test("without anything it is the server on this machine", () => {
  expect(decideNatsTarget({}, {}, {}, undefined)).toEqual({ servers: [defaultServer] });
});

test("flag, environment, configuration and context come in this order", () => {
  const flags = { server: ["nats://flag:4222"], nkey: "/flag.nk" };
  const environment = { NATS_URL: "nats://env1:4222, nats://env2:4222", NATS_NKEY: "/env.nk" };
  const settings = { servers: ["nats://config:4222"], nkeyFile: "/config.nk", inboxPrefix: "_INBOX_config" };
  const context = {
    servers: ["nats://context:4222"],
    password: { user: "u", password: "p" },
    inboxPrefix: "_INBOX_c",
  };
  expect(decideNatsTarget(flags, environment, settings, context)).toEqual({
    servers: ["nats://flag:4222"],
    nkeyFile: "/flag.nk",
    inboxPrefix: "_INBOX_config",
  });
  expect(decideNatsTarget({}, environment, settings, context).servers).toEqual([
    "nats://env1:4222",
    "nats://env2:4222",
  ]);
  expect(decideNatsTarget({}, {}, settings, context)).toMatchObject({
    servers: ["nats://config:4222"],
    nkeyFile: "/config.nk",
  });
  expect(decideNatsTarget({}, {}, {}, context)).toMatchObject({
    password: { user: "u", password: "p" },
    inboxPrefix: "_INBOX_c",
  });
});

test("one way to sign in drops those of less weight", () => {
  expect(decideNatsTarget({ creds: "/flag.creds" }, { NATS_NKEY: "/env.nk" }, {}, undefined)).toEqual({
    servers: [defaultServer],
    credentialsFile: "/flag.creds",
  });
});

test("an empty environment variable is none, and TLS files demand TLS", () => {
  expect(
    decideNatsTarget(
      {},
      { NATS_URL: "", NATS_CA: "/ca.pem" },
      { tls: { caFile: "/other.pem", certFile: "/c.pem" } },
      undefined,
    ),
  ).toEqual({
    servers: [defaultServer],
    tls: { caFile: "/ca.pem", certFile: "/c.pem" },
  });
});
