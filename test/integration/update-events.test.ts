import { expect } from "vitest";
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import { publishUpdateEvent } from "../../src/bus/publish-update.ts";
import { decodeUpdateEvent, type UpdateEvent } from "../../src/protocol/update-events.ts";
import { anUpdateEvent as event } from "../support/builds.ts";
import { test } from "../support/nats-roles.ts";

test("a pipeline tells what happened to an update once, and a dashboard reads it as the protocol says", async ({
  as,
}) => {
  const pipeline = await as("updater");
  await publishUpdateEvent(pipeline, event, AbortSignal.timeout(30_000));
  await publishUpdateEvent(pipeline, event, AbortSignal.timeout(30_000));

  const dashboard = await as("dashboard");
  const read = async (sequence: number) =>
    dashboard.nats.request(
      "$JS.API.DIRECT.GET.UPDATE_EVENTS",
      JSON.stringify({ seq: sequence, next_by_subj: "update-events.*" }),
    );
  const first = await read(1);
  expect(decodeUpdateEvent(first.data)).toEqual(event);
  const sequence = Number(first.headers?.get("Nats-Sequence"));
  expect((await read(sequence + 1)).headers?.code).toBe(404);
});

test("whoever may read is told at once by a plain subscription, and a builder that comes later knows as well", async ({
  as,
}) => {
  const dashboard = await as("dashboard");
  const heard: UpdateEvent[] = [];
  dashboard.nats.subscribe("live.update-events.*", {
    callback: (_, { data }) => void heard.push(decodeUpdateEvent(data)),
  });
  await dashboard.nats.flush();
  const pipeline = await as("updater");
  const landed = { ...event, run: "01M86R3C5XK0V7Q2S8T9W4Y6ZB" };
  await publishUpdateEvent(pipeline, landed, AbortSignal.timeout(30_000));
  await expect.poll(() => heard).toEqual([landed]);

  const stopped = new AbortController();
  const known: UpdateEvent[] = [];
  const builder = createBuilderBus(await as("builder1"));
  const following = (async () => {
    for await (const news of builder.followUpdates(stopped.signal)) known.push(news);
  })();
  await expect.poll(() => known.at(-1)).toEqual(landed);
  const next = { ...event, run: "01M86R3C5XK0V7Q2S8T9W4Y6ZC", outcome: "no-change" } as const;
  await publishUpdateEvent(pipeline, next, AbortSignal.timeout(30_000));
  // Long before it would ask by itself.
  await expect.poll(() => known.at(-1), { timeout: 30_000 }).toEqual(next);
  stopped.abort(new Error("the test ends"));
  await following;
});
