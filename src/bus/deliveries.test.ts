import { TimeoutError } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import type { Connection } from "./connect/connection.ts";
import { nextDelivery, parseAckSubject } from "./deliveries.ts";

const place = { deliveryCount: 3, sequence: 41, storedAt: new Date("2023-11-14T22:13:20.000Z") };

test.each([
  ["of servers today", "$JS.ACK.BUILD_REQUESTS.builder.3.41.7.1700000000000000000.5"],
  ["with domain and account", "$JS.ACK.hub.AbC123.BUILD_REQUESTS.builder.3.41.7.1700000000000000000.5.x9"],
])("reads the acknowledgement subject %s", (_, subject) => {
  expect(parseAckSubject(subject)).toEqual(place);
});

test.each(["", "$JS.ACK", "$JS.ACK.S.C.1.2.3.now.5", "a.b.c.d.e.f.g.1700000000000000000.i"])(
  "refuses %j",
  (subject) => {
    expect(() => parseAckSubject(subject)).toThrow(RangeError);
  },
);

test("in a cluster a question for requests is kept open for less time: who keeps it may die unnoticed", async () => {
  const asked: string[] = [];
  const ask = async (cluster: string | undefined): Promise<void> => {
    const nats = {
      request: async (_: string, data: string) => {
        asked.push(data);
        throw new TimeoutError();
      },
    };
    const connection: Partial<Connection> = {
      nats: nats as unknown as Connection["nats"],
      cluster,
      jetstreamDomain: undefined,
      whenConnected: async () => undefined,
      whileConnected: async (work) => work,
    };
    const { signal } = new AbortController();
    const consumer = { stream: "BUILD_REQUESTS", name: "builder" };
    expect(await nextDelivery(connection as Connection, consumer, signal)).toBeUndefined();
  };
  await ask(undefined);
  await ask("homelab");
  expect(asked.map((data) => (JSON.parse(data) as { expires: number }).expires)).toEqual([20e9, 5e9]);
});
