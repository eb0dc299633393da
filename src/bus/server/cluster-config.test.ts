import { expect, test } from "vitest";
import { clusterBlock, type ClusterNode } from "./cluster-config.ts";

const node: ClusterNode = {
  cluster: "homelab",
  node: "nats1",
  listen: "127.0.0.1:6222",
  routes: ["127.0.0.1:6223"],
};

test("a node that others reach only from this machine needs no TLS", () => {
  expect(clusterBlock(node, undefined).join("\n")).toContain('"nats-route://127.0.0.1:6223"');
});

test.each([
  ["a name that needs quotes", { ...node, node: "nats 1" }, /cannot name a cluster or a node/],
  ["the cluster's name for the node", { ...node, node: "homelab" }, /are both called homelab/],
  ["a route without a port", { ...node, routes: ["nats2.lan"] }, /is no HOST:PORT/],
  ["a port that there is not", { ...node, routes: ["nats2.lan:99999"] }, /is no HOST:PORT/],
  ["a port that means any", { ...node, routes: ["nats2.lan:0"] }, /is no HOST:PORT/],
  [
    "listening where the others are not",
    { ...node, routes: ["nats2.lan:6222"] },
    /cannot reach this one at 127\.0\.0\.1:6222/,
  ],
  ["an address with a port to advertise", { ...node, advertise: "nats1.lan:4222" }, /is not a host name/],
  ["no routes", { ...node, routes: [] }, /a node needs the others/],
  ["routes between machines without TLS", { ...node, listen: "10.0.0.1:6222" }, /need TLS/],
])("%s is refused", (_, refused, message) => {
  expect(() => clusterBlock(refused, undefined)).toThrow(message);
});
