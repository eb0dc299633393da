import { expect, test } from "vitest";
import { parsePublicKey } from "../narinfo/public-keys.ts";
import type { PathFacts } from "../protocol/store-paths/path-facts.ts";
import type { StorePath } from "../protocol/names.ts";
import type { CacheClient } from "../narinfo/cache-client.ts";
import { noProofs } from "./proofs.ts";
import { createServingProof } from "./serving-proof.ts";

const top = `/nix/store/${"a".repeat(32)}-web` as StorePath;
const facts = {
  path: top,
  narHash: `sha256:${"0".repeat(52)}`,
  narSize: 1,
  references: [],
} as unknown as PathFacts;

/** Why a cache that answers everything with this status does not serve it. */
async function reasonWith(status: number): Promise<string | undefined> {
  const client: CacheClient = {
    url: "http://cache",
    get: async () => ({ status, body: new Uint8Array(), isCutOff: false }),
    stream: async () => ({ status }),
    [Symbol.dispose]() {},
  };
  const proof = createServingProof({
    nix: { readClosureFacts: async () => new Map([[top, facts]]) },
    url: "http://cache",
    verify: {
      client,
      keys: [parsePublicKey(`k-1:${Buffer.alloc(32, 1).toString("base64")}`)],
      proofs: noProofs,
      content: "start",
      atOnce: 1,
      timeoutMs: 1000,
    },
  });
  return (await proof.findUnserved([top], AbortSignal.any([]))).get(top);
}

test.each([401, 403, 302])(
  "HTTP %i is a refusal, which says what to set and nothing of the path",
  async (status) => {
    expect(await reasonWith(status)).toBe(
      `the cache http://cache refuses access, so its state is unknown: ${top}: its narinfo is refused (HTTP ${status}); set cache.netrcFile if it needs a password`,
    );
  },
);

test("what is missing is not served", async () => {
  expect(await reasonWith(404)).toContain("does not serve it: 1 missing of 1 paths");
});
