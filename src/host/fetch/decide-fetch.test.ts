import { expect, test } from "vitest";
import type { StorePath } from "../../protocol/names.ts";
import { sha256Of } from "../../protocol/store-paths/sha256.ts";
import { decideFetch, type FetchFacts, type FetchFault } from "./decide-fetch.ts";

const path = (digit: string, name: string): StorePath =>
  `/nix/store/${digit.repeat(32)}-${name}` as StorePath;
const top = path("1", "nixos-system");
const leaf = path("2", "leaf");
const hash = (byte: number) => sha256Of(Buffer.alloc(32, byte));

const facts = (more: Partial<FetchFacts> = {}): FetchFacts => ({
  top,
  narHash: hash(1),
  missing: [
    { storePath: top, narHash: hash(1), narSize: 1000 },
    { storePath: leaf, narHash: hash(2), narSize: 9000 },
  ],
  faults: [],
  freeBytes: 11_500,
  minFreeBytes: 500,
  ...more,
});
const fault = (problem: FetchFault["problem"]): FetchFault => ({ path: leaf, problem, detail: problem });

test.each([
  ["all is there, and there is just room", facts(), undefined],
  ["a byte is missing of the room", facts({ freeBytes: 11_499 }), "NO_SPACE"],
  ["nothing is to be loaded, so no room is needed", facts({ missing: [], freeBytes: 0 }), undefined],
  ["a path is not there", facts({ faults: [fault("missing")] }), "NOT_CACHED"],
  ["nobody answers", facts({ faults: [fault("unanswered")] }), "NOT_CACHED"],
  ["a bad signature counts more", facts({ faults: [fault("missing"), fault("wrongly-signed")] }), "UNSIGNED"],
  ["without a signature", facts({ faults: [fault("unsigned")] }), "UNSIGNED"],
  ["another content than was built", facts({ narHash: hash(3) }), "UNSIGNED"],
  ["nobody stated the content", facts({ narHash: undefined }), undefined],
])("%s", (_, given, code) => {
  expect(decideFetch(given)?.code).toBe(code);
});
