import { expect } from "vitest";
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { aBuildId } from "../support/builds.ts";
import { permissionsMarker } from "../../src/bus/server/permissions.ts";
import { test } from "../support/nats-roles.ts";
import { wrongPublishing, wrongSubscribing, type Probe } from "../support/role-probes.ts";
import { testUsers as everybody, type TestUser } from "../support/start-roles-server.ts";

const builders: readonly TestUser[] = ["builder1", "builder2"];
const clients: readonly TestUser[] = ["operator", "ci", "updater", "dashboard", "deployer"];
const requesters: readonly TestUser[] = ["operator", "ci", "updater"];
const readers: readonly TestUser[] = [...clients, ...builders];
const id = aBuildId();
const api = "$JS.API";

const publishing: readonly Probe[] = [
  { subject: "build.servers.web1", allowed: [...requesters, ...builders], payload: "{}" },
  { subject: "build.any.all", allowed: [...requesters, ...builders], payload: "{}" },
  // Stored, and answered by the builder with how such a name is written.
  { subject: "build.servers.web1.more", allowed: requesters, payload: "{}" },
  { subject: "build-backlog.servers.web1", allowed: [...requesters, ...builders], payload: "{}" },
  { subject: "build-backlog.servers.web1.aside", allowed: builders, payload: "{}" },
  { subject: `build-control.${id}`, allowed: requesters },
  { subject: `build-events.${id}`, allowed: builders },
  { subject: `build-logs.${id}.0`, allowed: builders },
  { subject: `build-progress.${id}`, allowed: builders },
  { subject: "build-replies.operator.mine", allowed: builders },
  { subject: `live.build-events.${id}`, allowed: [] },
  { subject: `live.build-logs.${id}.0`, allowed: [] },
  { subject: "live.update-events.servers", allowed: [] },
  { subject: "update-events.servers", allowed: ["updater"], payload: "{}" },
  { subject: "$KV.builders.b1", allowed: ["builder1"] },
  { subject: "$KV.builders.b2", allowed: ["builder2"] },
  { subject: `$KV.results.build.${id}`, allowed: builders },
  { subject: "builder.b1.status", allowed: [...clients, "builder1"] },
  { subject: `${api}.INFO`, allowed: ["admin", "operator", ...builders] },
  { subject: `${api}.STREAM.INFO.BUILD_EVENTS`, allowed: ["admin", ...readers] },
  { subject: `${api}.STREAM.NAMES`, allowed: ["admin"] },
  { subject: `${api}.STREAM.CREATE.EVIL`, allowed: ["admin"] },
  { subject: `${api}.STREAM.UPDATE.BUILD_EVENTS`, allowed: ["admin"] },
  { subject: `${api}.STREAM.DELETE.BUILD_EVENTS`, allowed: [], destructive: true },
  { subject: `${api}.STREAM.PURGE.BUILD_LOGS`, allowed: [], destructive: true },
  { subject: `${api}.STREAM.PURGE.BUILD_REQUESTS`, allowed: [], destructive: true },
  { subject: `${api}.STREAM.MSG.DELETE.BUILD_EVENTS`, allowed: ["admin"] },
  { subject: `${api}.STREAM.MSG.GET.BUILD_REQUESTS`, allowed: ["admin"] },
  { subject: `${api}.STREAM.SNAPSHOT.BUILD_EVENTS`, allowed: ["admin"] },
  { subject: `${api}.STREAM.RESTORE.BUILD_EVENTS`, allowed: ["admin"] },
  { subject: `${api}.CONSUMER.INFO.BUILD_REQUESTS.builder`, allowed: ["admin", ...readers] },
  { subject: `${api}.CONSUMER.CREATE.BUILD_EVENTS`, allowed: ["admin"] },
  { subject: `${api}.CONSUMER.CREATE.BUILD_EVENTS.evil.build-events.>`, allowed: ["admin"] },
  { subject: `${api}.CONSUMER.CREATE.KV_builders`, allowed: ["admin"] },
  { subject: `${api}.CONSUMER.DURABLE.CREATE.BUILD_REQUESTS.evil`, allowed: ["admin"] },
  { subject: `${api}.CONSUMER.DURABLE.CREATE.BUILD_REQUESTS.builder`, allowed: ["admin"] },
  { subject: `${api}.CONSUMER.DELETE.BUILD_REQUESTS.builder`, allowed: [], destructive: true },
  {
    subject: `${api}.CONSUMER.MSG.NEXT.BUILD_REQUESTS.builder`,
    allowed: ["admin", ...builders],
    payload: '{"batch":1,"no_wait":true}',
  },
  {
    subject: `${api}.CONSUMER.MSG.NEXT.BUILD_REQUESTS.builder-control`,
    allowed: ["admin", ...builders],
    payload: '{"batch":1,"no_wait":true}',
  },
  { subject: `${api}.CONSUMER.INFO.BUILD_BACKLOG.builder-backlog`, allowed: ["admin", ...readers] },
  {
    subject: `${api}.CONSUMER.MSG.NEXT.BUILD_BACKLOG.builder-backlog`,
    allowed: ["admin", ...builders],
    payload: '{"batch":1,"no_wait":true}',
  },
  { subject: "$JS.ACK.BUILD_BACKLOG.builder-backlog.1.1.1.1700000000000000000.0", allowed: builders },
  { subject: `${api}.DIRECT.GET.BUILD_BACKLOG`, allowed: ["admin"] },
  { subject: `${api}.DIRECT.GET.BUILD_EVENTS`, allowed: ["admin", ...readers] },
  { subject: `${api}.DIRECT.GET.BUILD_EVENTS.build-events.${id}`, allowed: ["admin", ...readers] },
  { subject: `${api}.DIRECT.GET.BUILD_LOGS`, allowed: ["admin", ...readers] },
  { subject: `${api}.DIRECT.GET.KV_builders.$KV.builders.b1`, allowed: ["admin", ...readers] },
  { subject: `${api}.DIRECT.GET.KV_results.$KV.results.build.${id}`, allowed: ["admin", ...readers] },
  { subject: `${api}.DIRECT.GET.BUILD_REQUESTS`, allowed: ["admin"] },
  { subject: "$JS.ACK.BUILD_REQUESTS.builder.1.1.1.1700000000000000000.0", allowed: builders },
  { subject: "$JS.ACK.BUILD_EVENTS.other.1.1.1.1700000000000000000.0", allowed: [] },
  { subject: "_R_.x.y", allowed: builders },
  { subject: "_INBOX_operator.x.y", allowed: [] },
  { subject: "_INBOX_builder-b1.x.y", allowed: ["builder1"] },
  { subject: "_INBOX_admin.x.y", allowed: [] },
  { subject: "_INBOX.x.y", allowed: [] },
  { subject: permissionsMarker, allowed: [] },
  { subject: "deploy.web1%2Elan", allowed: [] },
  { subject: "$SYS.REQ.SERVER.PING", allowed: [] },
];

const subscribing: readonly Probe[] = [
  { subject: "_INBOX_admin.>", allowed: ["admin"] },
  { subject: "_INBOX_operator.>", allowed: ["operator"] },
  { subject: "_INBOX_ci.>", allowed: ["ci"] },
  { subject: "_INBOX_updater.>", allowed: ["updater"] },
  { subject: "_R_.>", allowed: [] },
  { subject: permissionsMarker, allowed: everybody },
  { subject: "_INBOX_dashboard.>", allowed: ["dashboard"] },
  { subject: "_INBOX_builder-b1.>", allowed: ["builder1"] },
  { subject: "_INBOX_builder-b2.>", allowed: ["builder2"] },
  { subject: "_INBOX_host-servers_web1_lan.>", allowed: ["listener"] },
  { subject: "_INBOX.>", allowed: [] },
  { subject: ">", allowed: [] },
  { subject: "*.>", allowed: [] },
  { subject: "build.>", allowed: [] },
  { subject: "build.servers.web1", allowed: [] },
  { subject: "build.>", allowed: [], queue: "builders" },
  { subject: "build-events.*", allowed: [] },
  { subject: "build-logs.*.*", allowed: [] },
  { subject: "update-events.*", allowed: [] },
  { subject: "live.build-events.*", allowed: readers },
  { subject: `live.build-events.${id}`, allowed: readers },
  { subject: `live.build-logs.${id}.*`, allowed: readers },
  { subject: "live.update-events.*", allowed: readers },
  { subject: "live.>", allowed: [] },
  { subject: `build-progress.${id}`, allowed: readers },
  { subject: "build-control.*", allowed: builders },
  { subject: "builder.b1.status", allowed: ["builder1"] },
  { subject: "builder.*.status", allowed: [] },
  { subject: "build-replies.operator.mine", allowed: ["operator"] },
  { subject: "build-replies.>", allowed: [] },
  { subject: "$KV.builders.>", allowed: [] },
  { subject: "$JS.API.>", allowed: [] },
  { subject: "$JS.ACK.>", allowed: [] },
  { subject: "$JS.EVENT.ADVISORY.>", allowed: [] },
  { subject: "$SYS.>", allowed: [] },
  { subject: "deploy.web1%2Elan", allowed: [] },
  { subject: "deploy.>", allowed: [] },
];

test.for(everybody)("%s may publish exactly what its role needs", async (user, { as }) => {
  expect(await wrongPublishing(await as(user), user, publishing)).toEqual([]);
});

test.for(everybody)("%s may subscribe to exactly what its role needs", async (user, { as }) => {
  expect(await wrongSubscribing(await as(user), user, subscribing)).toEqual([]);
});

test("what a role may not do is said with the subject", async ({ as }) => {
  const dashboard = createReader(await as("dashboard"));
  await expect(dashboard.control(id, { action: "cancel" }, AbortSignal.timeout(5000))).rejects.toMatchObject({
    kind: "refused",
    code: "NATS_PERMISSION",
    message: `our key may not publish to build-control.${id}`,
  });
  const listener = createBuilderBus(await as("listener"));
  await expect(listener.nextRequest(AbortSignal.timeout(5000))).rejects.toMatchObject({
    code: "NATS_PERMISSION",
  });
  await expect(Array.fromAsync(listener.follow(id, {}, AbortSignal.timeout(5000)))).rejects.toMatchObject({
    code: "NATS_PERMISSION",
  });
});

test("a wrong inbox prefix is refused at once, with the setting to change", async ({ as }) => {
  const operator = createReader(await as("operator", { inboxPrefix: "_INBOX_ci" }));
  await expect(operator.listBuilds(AbortSignal.timeout(5000))).rejects.toMatchObject({
    code: "NATS_PERMISSION",
    hint: expect.stringContaining("nats.inboxPrefix"),
  });
});
