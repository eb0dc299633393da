import {
  atMost,
  exactly,
  mebibytes,
  milliseconds,
  seconds,
  type BenchContext,
  type BenchResult,
} from "./bench.ts";
import { drainBatch } from "./drain-batch.ts";
import { everyHost, startLab, type Lab } from "./lab.ts";
import { costOf, median, readCpuTime, type Cost } from "./measure.ts";
import type { NixRun } from "./nix-shim.ts";
import { requestBuild } from "./requests.ts";

const hosts = 1000;
const rounds = 5;
const batch = 200;

/** Every host has a derivation and an output of its own, but the cheapest ones that there are. */
const flake = `{
  outputs = _: {
    nixosConfigurations = builtins.listToAttrs (builtins.genList (number: rec {
      name = "host\${toString number}";
      value.config.system.build.toplevel = derivation {
        inherit name;
        system = "x86_64-linux";
        builder = "/bin/sh";
        args = [ "-c" "echo $name > $out" ];
      };
    }) ${hosts});
  };
}
`;

/** A request for hosts that were all built before, from its publication to the verdict at a reader. */
export async function runThousandHosts(context: BenchContext): Promise<readonly BenchResult[]> {
  await using lab = await startLab(context, {
    fleet: {},
    commit: { files: { "flake.nix": flake } },
  });
  await lab.shim.takeRuns();
  const before = await readCpuTime(lab.builderPid);
  const { finishedMs: coldMs } = await requestBuild(lab.reader, everyHost);
  const ownMs = (((await readCpuTime(lab.builderPid)).own - before.own) * 1000) / hosts;
  const isQuestion = ({ command }: NixRun): boolean => command === "nix-store --check-validity";
  const asked = (await lab.shim.takeRuns()).filter(isQuestion).length / (coldMs / 1000);
  const outputs = await outputsOf(lab);

  const walls: number[] = [];
  const questions: Cost[] = [];
  let processes = 0;
  for (let round = 0; round < rounds; round++) {
    walls.push((await requestBuild(lab.reader, everyHost)).finishedMs / 1000);
    processes = Math.max(processes, (await lab.shim.takeRuns()).length);
    questions.push(await costOf(async () => lab.store.run("nix-store", "--check-validity", ...outputs)));
  }
  const drain = await drainBatch(lab, batch, () => everyHost);
  const slowest = Math.max(...walls);
  const question = median(questions.map(({ wallSeconds }) => wallSeconds));
  const what = `${hosts} remembered hosts`;
  return [
    {
      what: `${hosts} hosts, cold: questions to the store which paths are valid`,
      ours: `${asked.toFixed(1)} a second`,
      goal: atMost(asked, 5, " a second"),
    },
    {
      what: `${hosts} hosts, cold: CPU of the builder for a host`,
      ours: milliseconds(ownMs),
      goal: atMost(ownMs, 3, " ms"),
    },
    {
      what: `${what}: request to verdict, slowest of ${rounds}`,
      ours: seconds(slowest),
      goal: atMost(slowest, 1, " s"),
    },
    {
      what: `${what}: request to verdict, median`,
      ours: seconds(median(walls)),
      baseline: `${seconds(question)} nix-store --check-validity`,
      ratio: median(walls) / question,
    },
    { what: `${what}: Nix processes`, ours: `${processes}`, goal: exactly(processes, 1) },
    {
      what: `${batch} batch requests for ${what}: CPU for each, with Nix and git`,
      ours: milliseconds(drain.cpuMs),
      baseline: `${milliseconds(drain.ownMs)} the builder alone`,
    },
    {
      what: `${batch} batch requests for ${what}: most memory of the builder`,
      ours: mebibytes(drain.mostBytes),
      goal: atMost(drain.mostBytes / 1024 ** 2, 200, " MiB"),
    },
  ];
}

async function outputsOf(lab: Lab): Promise<readonly string[]> {
  const [newest] = await lab.reader.listBuilds(AbortSignal.timeout(5000));
  if (newest === undefined) throw new Error("no build was stored");
  const events = await lab.reader.readEvents(newest, 0, AbortSignal.timeout(5000));
  const outputs = events.flatMap((event) =>
    event.type === "evaluated" ? event.hosts.map(({ outPath }) => outPath) : [],
  );
  if (new Set(outputs).size !== hosts) throw new Error(`${outputs.length} hosts were evaluated`);
  return outputs;
}
