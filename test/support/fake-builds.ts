// Builds whose verdicts a test decides, all of them over at once.
import type { BuildReader } from "../../src/bus/bus.ts";
import type { BuildEvent } from "../../src/protocol/events.ts";
import { parseBranchName, type BuildId, type Commit } from "../../src/protocol/names.ts";
import type { BuildRequest } from "../../src/protocol/request.ts";
import type { HostVerdict } from "../../src/protocol/verdicts.ts";
import { scriptBuild, storePath } from "./build-events.ts";

export interface FakeBuilds extends BuildReader {
  /** As they were asked for. */
  readonly requests: readonly (BuildRequest & { readonly id: BuildId })[];
  /** Of hosts without a verdict. */
  infraCode: string | undefined;
}

/** @param hosts of every commit */
export function createFakeBuilds(
  hosts: readonly string[],
  verdictOf: (commit: Commit, host: string) => HostVerdict | Promise<HostVerdict>,
): FakeBuilds {
  const requests: (BuildRequest & { readonly id: BuildId })[] = [];
  const builds = new Map<BuildId, readonly BuildEvent[]>();
  const unused = (): never => {
    throw new Error("no update needs this");
  };
  const fake: FakeBuilds = {
    requests,
    infraCode: undefined,
    async submit({ repo }, request) {
      if (builds.has(request.id)) return;
      requests.push(request);
      const commit = request.rev as Commit;
      const names = hosts.filter((host) => request.hosts?.some((each) => each === host) ?? true);
      const refs = names.map((host) => `${repo}/${host}`);
      const { overrides } = request;
      const source = { repo: repo as Exclude<typeof repo, "any">, branch: parseBranchName("main"), commit };
      const script = scriptBuild(request.id).accepted(refs, {
        sources: [{ ...source, overrides }],
      });
      const verdicts: HostVerdict[] = [];
      for (const [index, host] of names.entries()) {
        const verdict = await verdictOf(commit, host);
        verdicts.push(verdict);
        const ref = refs[index] ?? "";
        if (verdict === "build-failed") {
          script.derivationFailed(`${host}-1.0`, [ref], {
            drvPath: storePath(`${host}-${commit.slice(0, 8)}.drv`),
          });
        }
        script.hostsFinished(verdict, [ref], verdict === "infra-failed" ? { code: fake.infraCode } : {});
      }
      const has = (verdict: HostVerdict): boolean => verdicts.includes(verdict);
      const isRed = has("build-failed") || has("eval-failed") || has("timed-out");
      script.finished(has("infra-failed") ? "infra-failed" : isRed ? "failed" : "succeeded");
      builds.set(request.id, script.events);
    },
    control: async () => undefined,
    readEvents: async (id, from) => (builds.get(id) ?? []).slice(from),
    async *follow(id) {
      for (const event of builds.get(id) ?? []) yield { type: "event", event };
    },
    async *readLogs() {},
    acceptedBuilds: async (count) => [...builds.keys()].toReversed().slice(0, count),
    listBuilds: async () => [...builds.keys()].toReversed(),
    countEvents: async () => new Map([...builds].map(([id, events]) => [id, events.length])),
    results: { builds: async () => new Set(), build: async () => undefined, hosts: async () => [] },
    updates: { newest: async () => [], of: async () => [] },
    lastEvent: async (id) => builds.get(id)?.at(-1),
    askBuilder: unused,
    listBuilders: unused,
    queueLength: unused,
    readQueue: unused,
  };
  return fake;
}
