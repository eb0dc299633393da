import { expect, test } from "vitest";
import { clusterNameOf, isClustered, isServedByOthers } from "./describe-missing.ts";

test("a server that calls itself a cluster is a leaf node, and alone", () => {
  expect(clusterNameOf({ cluster: "homelab", server_name: "nats1" })).toBe("homelab");
  expect(clusterNameOf({ cluster: "leaf", server_name: "leaf" })).toBeUndefined();
  expect(clusterNameOf({ server_name: "nats1" })).toBeUndefined();
  expect(clusterNameOf(undefined)).toBeUndefined();
});

test("streams are with others in a cluster and behind a leaf connection", () => {
  const alone = { cluster: undefined, jetstreamDomain: undefined };
  expect([alone, { ...alone, cluster: "" }].map(isClustered)).toEqual([false, false]);
  expect(isServedByOthers(alone)).toBe(false);
  expect(isServedByOthers({ ...alone, cluster: "homelab" })).toBe(true);
  expect(isServedByOthers({ ...alone, jetstreamDomain: "hub" })).toBe(true);
});
