// A process of its own for the bench: every narinfo of a closure, compared with the store and its signature verified.
// What `cache verify` does but for the NARs, which Nix does not ask for either. Arguments: top, URL, public key.
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { createCacheClient } from "../../src/narinfo/cache-client.ts";
import { judgeNarInfo, maxNarInfoBytes } from "../../src/narinfo/judge-narinfo.ts";
import { hashPartOf } from "../../src/narinfo/narinfo.ts";
import { parsePublicKey } from "../../src/narinfo/public-keys.ts";
import { workThrough } from "../../src/base/work-through.ts";
import { createNix } from "../../src/nix/create-nix.ts";
import { createExec } from "../../src/process/create-exec.ts";
import type { StorePath } from "../../src/protocol/names.ts";

const [top = "", url = "", publicKey = "", stateDirectory = ""] = process.argv.slice(2);
const connections = 32;
const never = new AbortController().signal;
const nix = await createNix(
  { exec: createExec(), environment: process.env, stateDirectory, clock: systemClock, log: silentLog },
  never,
);
const closure = await nix.readClosureFacts([top as StorePath], never);
const keys = [parsePublicKey(publicKey)];
using client = createCacheClient({
  url,
  connections,
  timeoutMs: 10_000,
  retry: { attempts: 3, firstDelayMs: 250, factor: 3, maxDelayMs: 10_000 },
  clock: systemClock,
});
let good = 0;
await workThrough([...closure.values()], connections, async (facts) => {
  const answer = await client.get(`${hashPartOf(facts.path)}.narinfo`, { maxBytes: maxNarInfoBytes }, never);
  if ((await judgeNarInfo(facts.path, facts, answer, keys)).type === "good") good++;
});
if (good !== closure.size) throw new Error(`${closure.size - good} narinfos are not good`);
