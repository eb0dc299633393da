import { JetStreamApiError } from "@nats-io/jetstream";
import { expect, test } from "vitest";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import type { Connection } from "../connect/connection.ts";
import { apiCodes } from "../connect/nats-errors.ts";
import { createLeaderWatch } from "./watch-leader.ts";

const led = async () => ({ cluster: { name: "homelab", leader: "n2" } });
const unled = async () => ({ cluster: { name: "homelab" } });
const refused = async () => {
  const description = "JetStream system temporarily unavailable";
  throw new JetStreamApiError({ code: 503, err_code: apiCodes.clusterNotAvailable, description });
};

/** Looks every five seconds; when the server was left, in seconds. */
async function watch(answers: readonly (() => Promise<object>)[]): Promise<readonly number[]> {
  const clock = createFakeClock();
  const left: number[] = [];
  let answer = led;
  const connection: Partial<Connection> = {
    // Only the library makes the request; what it would give is given instead.
    nats: { options: {} } as unknown as Connection["nats"],
    jetstreamDomain: undefined,
    cluster: "homelab",
    clock,
    whileConnected: async (work) => {
      work.catch(() => {});
      return (await answer()) as Awaited<typeof work>;
    },
    leaveServer: () => left.push(clock.monotonic() / 1000),
  };
  const look = createLeaderWatch(connection as Connection);
  for (const next of answers) {
    answer = next as typeof answer;
    await look(new AbortController().signal);
    await clock.advance(5000);
  }
  return left;
}

test.each([
  ["names a leader", [led, led, led, led], []],
  ["names none, for longer than an election takes", [led, unled, unled, unled], [15]],
  ["refuses to answer for so long", [led, refused, refused, refused], [15]],
  ["names one again in between", [unled, unled, led, unled, unled], []],
])("a server that %s", async (_, answers, left) => {
  expect(await watch(answers)).toEqual(left);
});
