// Every role against every subject of deploying, on a real server with the configuration that `nats config` prints: the
// table is what a stolen key can and cannot reach.
import { headers } from "@nats-io/transport-node";
import { expect } from "vitest";
import type { Connection } from "../../src/bus/connect/connection.ts";
import { openManager } from "../../src/bus/jetstream-api.ts";
import { streams } from "../../src/protocol/subjects.ts";
import { test } from "../support/nats-roles.ts";
import { wrongPublishing, wrongSubscribing, type Probe } from "../support/role-probes.ts";
import { testUsers as everybody, type TestUser } from "../support/start-roles-server.ts";

const listeners = ["listener", "neighbour", "namesake"] as const satisfies readonly TestUser[];
const signers: readonly TestUser[] = ["operator", "deployer"];
const readers: readonly TestUser[] = ["operator", "ci", "dashboard", "deployer"];
const builders: readonly TestUser[] = ["builder1", "builder2"];
const api = "$JS.API";

/** The tokens of each listener's host in subjects, and in keys of buckets. */
const tokens = {
  listener: { subject: "servers.web1%2Elan", key: "servers.web1=2Elan" },
  neighbour: { subject: "servers.db1", key: "servers.db1" },
  namesake: { subject: "desktops.web1%2Elan", key: "desktops.web1=2Elan" },
} as const;

const ofHosts = listeners.flatMap((owner): readonly Probe[] => {
  const { subject, key } = tokens[owner];
  const last = (stream: string, of: string): string => `${api}.DIRECT.GET.${stream}.${of}`;
  return [
    { subject: `deploy-orders.${subject}`, allowed: signers },
    { subject: `deploy-events.${subject}`, allowed: [owner] },
    { subject: `deploy-output.${subject}`, allowed: [owner] },
    { subject: `$KV.hosts.${key}`, allowed: [owner] },
    { subject: `$KV.holds.${key}`, allowed: ["operator"] },
    { subject: `live.deploy-orders.${subject}`, allowed: [] },
    { subject: `live.deploy-events.${subject}`, allowed: [] },
    {
      subject: last("DEPLOY_ORDERS", `deploy-orders.${subject}`),
      allowed: ["admin", ...readers, ...builders, owner],
    },
    {
      subject: last("DEPLOY_EVENTS", `deploy-events.${subject}`),
      allowed: ["admin", ...readers, ...builders, owner],
    },
    { subject: last("DEPLOY_OUTPUT", `deploy-output.${subject}`), allowed: ["admin", ...readers, owner] },
    { subject: last("KV_hosts", `$KV.hosts.${key}`), allowed: ["admin", ...readers, ...builders] },
    { subject: last("KV_holds", `$KV.holds.${key}`), allowed: ["admin", ...readers] },
  ];
});

const publishing: readonly Probe[] = [
  ...ofHosts,
  { subject: "$KV.holds.servers.all", allowed: ["operator"] },
  { subject: "rollout-events.01JDB3K2M4N5P6Q7R8S9T0V1W2", allowed: signers },
  { subject: "deployer.servers.start", allowed: ["operator", "ci"] },
  { subject: "deploy-replies.operator.x", allowed: ["deployer"] },
  { subject: "deploy-orders.servers", allowed: [] },
  { subject: "deploy-orders.servers.db1.more", allowed: [] },
  { subject: "deploy-events.servers.nobody", allowed: [] },
  { subject: "$KV.hosts.servers.nobody", allowed: [] },
  {
    subject: `${api}.DIRECT.GET.ROLLOUT_EVENTS.rollout-events.01JDB3K2M4N5P6Q7R8S9T0V1W2`,
    allowed: ["admin", ...readers],
  },
  { subject: "live.rollout-events.01JDB3K2M4N5P6Q7R8S9T0V1W2", allowed: [] },
  { subject: "deploy-replies.ci.x", allowed: ["deployer"] },
  ...["DEPLOY_ORDERS", "DEPLOY_EVENTS", "DEPLOY_OUTPUT", "ROLLOUT_EVENTS", "KV_hosts", "KV_holds"].flatMap(
    (stream): readonly Probe[] => [
      // The form without a subject reads the whole stream.
      { subject: `${api}.DIRECT.GET.${stream}`, allowed: ["admin", ...readers], payload: '{"seq":1}' },
      {
        subject: `${api}.STREAM.INFO.${stream}`,
        allowed: ["admin", ...readers, "updater", ...builders],
      },
      { subject: `${api}.STREAM.MSG.GET.${stream}`, allowed: ["admin"] },
      { subject: `${api}.STREAM.PURGE.${stream}`, allowed: [], destructive: true },
      { subject: `${api}.STREAM.MSG.DELETE.${stream}`, allowed: ["admin"] },
      { subject: `${api}.STREAM.UPDATE.${stream}`, allowed: ["admin"] },
      { subject: `${api}.CONSUMER.CREATE.${stream}`, allowed: ["admin"] },
    ],
  ),
  { subject: `${api}.DIRECT.GET.BUILD_EVENTS`, allowed: ["admin", ...readers, "updater", ...builders] },
  { subject: `${api}.DIRECT.GET.KV_results`, allowed: ["admin", ...readers, "updater", ...builders] },
];

const subscribing: readonly Probe[] = [
  ...listeners.flatMap((owner): readonly Probe[] => {
    const { subject, key } = tokens[owner];
    return [
      { subject: `live.deploy-orders.${subject}`, allowed: [...readers, owner] },
      { subject: `live.deploy-events.${subject}`, allowed: readers },
      { subject: `live.deploy-output.${subject}`, allowed: readers },
      { subject: `deploy-orders.${subject}`, allowed: [] },
      { subject: `deploy-events.${subject}`, allowed: [] },
      { subject: `$KV.hosts.${key}`, allowed: [] },
    ];
  }),
  { subject: "live.deploy-orders.*.*", allowed: readers },
  { subject: "live.rollout-events.*", allowed: readers },
  { subject: "live.>", allowed: [] },
  { subject: "deployer.*.start", allowed: ["deployer"] },
  { subject: "rollout-events.*", allowed: [] },
  { subject: "deploy-replies.operator.>", allowed: ["operator"] },
  { subject: "deploy-replies.ci.>", allowed: ["ci"] },
  { subject: "deploy-replies.>", allowed: [] },
  { subject: "_INBOX_deployer.>", allowed: ["deployer"] },
  { subject: "_INBOX_host-servers_web1_lan.>", allowed: ["listener"] },
  { subject: "_INBOX_host-servers_db1.>", allowed: ["neighbour"] },
  { subject: "_INBOX_host-desktops_web1_lan.>", allowed: ["namesake"] },
  { subject: "_INBOX_host-web2_lan.>", allowed: ["unassigned"] },
];

test("the table is large enough to be one", () => {
  expect(everybody.length * (publishing.length + subscribing.length)).toBeGreaterThan(1000);
});

test.for(everybody)("%s may publish exactly what the table says", async (user, { as }) => {
  expect(await wrongPublishing(await as(user), user, publishing)).toEqual([]);
});

test.for(everybody)("%s may subscribe to exactly what the table says", async (user, { as }) => {
  expect(await wrongSubscribing(await as(user), user, subscribing)).toEqual([]);
});

/** How many messages each stream has of a host. */
async function counts(admin: Connection): Promise<Readonly<Record<string, number>>> {
  const manager = await openManager(admin);
  const found: Record<string, number> = {};
  for (const stream of [streams.orders, streams.deployEvents, streams.deployOutput, streams.hosts]) {
    const { state } = await manager.streams.info(stream, { subjects_filter: ">" });
    Object.assign(found, state.subjects);
  }
  return found;
}

test("an answer that a client has directed among what hosts say is stored nowhere", async ({ as }) => {
  const [admin, listener, operator] = [await as("admin"), await as("listener"), await as("operator")];
  listener.nats.publish("deploy-events.servers.web1%2Elan", "mine");
  operator.nats.publish("deploy-orders.servers.web1%2Elan", "an order");
  await Promise.all([listener.nats.flush(), operator.nats.flush()]);
  await expect
    .poll(async () => Object.keys(await counts(admin)))
    .toContain("deploy-events.servers.web1%2Elan");
  const before = await counts(admin);
  const targets = [
    "deploy-orders.servers.db1",
    "deploy-events.servers.db1",
    "deploy-output.servers.db1",
    "$KV.hosts.servers.db1",
    "$KV.holds.servers.db1",
    "_R_.x.y",
  ];
  for (const reply of targets) {
    for (const [client, subject] of [
      [listener, `${api}.DIRECT.GET.DEPLOY_ORDERS.deploy-orders.servers.web1%2Elan`],
      [listener, `${api}.DIRECT.GET.DEPLOY_EVENTS.deploy-events.servers.web1%2Elan`],
      [operator, `${api}.DIRECT.GET.DEPLOY_ORDERS.deploy-orders.servers.web1%2Elan`],
      [operator, `${api}.STREAM.INFO.DEPLOY_ORDERS`],
    ] as const) {
      client.nats.publish(subject, "", { reply });
    }
  }
  await Promise.all([listener.nats.flush(), operator.nats.flush()]);
  // What comes through after them has passed them.
  await operator.nats.request(`${api}.STREAM.INFO.DEPLOY_ORDERS`, "", { timeout: 5000 });
  expect(await counts(admin)).toEqual(before);
});

test("no host can empty a subject with a header, or fill more than its own", async ({ as }) => {
  const listener = await as("listener");
  const rollup = headers();
  rollup.set("Nats-Rollup", "all");
  const subject = "$KV.hosts.servers.web1=2Elan";
  const answer = await listener.nats.request(subject, "{}", { headers: rollup, timeout: 5000 });
  expect(answer.json()).toMatchObject({ error: { err_code: 10_111 } });
  const tooLarge = await listener.nats.request(subject, new Uint8Array(64 * 1024), { timeout: 5000 });
  expect(tooLarge.json()).toMatchObject({ error: { err_code: 10_054 } });
});
