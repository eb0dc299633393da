// The server takes any bytes as headers, and the client cannot read all of them.
import type { MsgHdrs } from "@nats-io/transport-node";
import { expect } from "vitest";
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { encodeUpdateEvent } from "../../src/protocol/update-events.ts";
import { aBuildId, anUpdateEvent } from "../support/builds.ts";
import { test } from "../support/homelab.ts";

/** As `publish` encodes headers, and nothing else. */
const malformed = {
  encode: () => new TextEncoder().encode("NATS/1.0\r\nbad key: x\r\n\r\n"),
} as unknown as MsgHdrs;

test("requests and cancels with malformed headers silence no builder", async ({ homelab }) => {
  const signal = AbortSignal.timeout(120_000);
  await homelab.fleet.commit({ salt: "malformed", hosts: 1, hostSeconds: 3 });
  const builder = await homelab.startBuilder();
  await using ci = await homelab.server.connect("ci");
  // More than the queue gives out unacknowledged.
  for (let i = 0; i < 70; i++) {
    const subject = `build.fleet.nobody${i}`;
    await ci.nats.request(subject, i % 2 === 0 ? "" : "{}", { headers: malformed, timeout: 30_000 });
  }
  const flood = setInterval(() => {
    ci.nats.publish(`build-control.${aBuildId()}`, '{"action":"cancel"}', { headers: malformed });
  }, 200);
  try {
    const { exitCode, stderr } = await homelab.run(["build", "host01", "--timeout", "60s"]);
    expect([exitCode, stderr]).toEqual([0, expect.not.stringContaining("connection")]);
  } finally {
    clearInterval(flood);
  }
  const reader = createReader(ci);
  await expect.poll(async () => reader.queueLength(signal), { timeout: 60_000 }).toBe(0);
  expect(await builder.log()).not.toContain('"bug":true');
});

test("an update's event with malformed headers hides no later one", async ({ homelab }) => {
  await using updater = await homelab.server.connect("updater");
  await using connection = await homelab.server.connect("builder2");
  for (const data of [new Uint8Array(), new TextEncoder().encode("{}")]) {
    await updater.nats.request("update-events.fleet", data, { headers: malformed, timeout: 30_000 });
  }
  const data = encodeUpdateEvent(anUpdateEvent);
  await updater.nats.request("update-events.fleet", data, { timeout: 30_000 });
  for await (const event of createBuilderBus(connection).followUpdates(AbortSignal.timeout(60_000))) {
    expect(event.run).toBe(anUpdateEvent.run);
    break;
  }
  expect.assertions(1);
});
