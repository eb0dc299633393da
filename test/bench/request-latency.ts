import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { Connection } from "../../src/bus/connect/connection.ts";
import { encodeRequest } from "../../src/protocol/request.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import { atMost, milliseconds, type BenchContext, type BenchResult } from "./bench.ts";
import { everyHost, startLab } from "./lab.ts";
import { quantile } from "./measure.ts";
import { requestBuild } from "./requests.ts";

const requests = 200;

/** From a request to its `accepted` at a reader, one request after the other, on an unchanged commit. */
export async function runRequestLatency(context: BenchContext): Promise<readonly BenchResult[]> {
  await using lab = await startLab(context, { fleet: { hosts: 4 } });
  await requestBuild(lab.reader, everyHost);
  const publish = await createBarePublish(lab.connection);
  await publish();

  const accepted: number[] = [];
  const published: number[] = [];
  for (let count = 0; count < requests; count++) {
    accepted.push((await requestBuild(lab.reader, everyHost)).acceptedMs);
    published.push(await publish());
  }
  const row = (name: string, share: number): BenchResult => {
    const ours = quantile(accepted, share);
    const bare = quantile(published, share);
    return {
      what: `request to accepted, ${requests} in turn: ${name}`,
      ours: milliseconds(ours),
      baseline: `${milliseconds(bare)} one publish with its ack`,
      ratio: ours / bare,
    };
  };
  const p99 = quantile(accepted, 0.99);
  return [row("p50", 0.5), { ...row("p99", 0.99), goal: atMost(p99, 20, " ms") }];
}

/** Stores a request of the usual size in a stream of its own, and gives the milliseconds until it was stored. */
async function createBarePublish({ nats }: Connection): Promise<() => Promise<number>> {
  const manager = await jetstreamManager(nats);
  await manager.streams.add({ name: "BENCH", subjects: ["bench.>"], storage: "file" });
  const data = encodeRequest({ id: newBuildId(new Date()) });
  return async () => {
    const started = performance.now();
    await jetstream(nats).publish("bench.all", data);
    return performance.now() - started;
  };
}
