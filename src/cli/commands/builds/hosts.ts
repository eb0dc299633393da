// `homelab-deploy hosts`: what the event logs of the newest builds say of each host.
import { HomelabError } from "../../../base/errors.ts";
import { parseRepoName } from "../../../protocol/names.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { connectReader } from "../../session/connect.ts";
import { untilInterrupted, type Context } from "../../context.ts";
import { readBuilds } from "../../builds/find-build.ts";
import { rememberNames } from "../../arguments/known-names.ts";
import { renderHosts, summarizeHosts } from "../../print/pages/hosts-table.ts";

/** So many builds are looked at, newest first. */
const lookedAt = 100;

export interface HostsOptions {
  readonly repo?: string | undefined;
  readonly absolute?: boolean | undefined;
  readonly json?: boolean | undefined;
}

export async function runHosts(context: Context, options: HostsOptions): Promise<number> {
  const signal = untilInterrupted(context.signals);
  const repo = options.repo === undefined ? undefined : parseRepoName(options.repo);
  await using connected = await connectReader(context, signal);
  const { reader } = connected;
  const ids = await reader.listBuilds(signal);
  const builds = await readBuilds(reader, ids.slice(0, lookedAt), signal);
  const all = summarizeHosts(builds);
  const hosts = all.filter((host) => repo === undefined || host.repo === repo);
  await rememberNames(context.environment, {
    builds: ids,
    hosts: [...new Set(all.map((host) => host.host))],
    repos: [...new Set(all.map((host) => host.repo))],
  });
  if (repo !== undefined && hosts.length === 0 && all.length > 0) {
    throw new HomelabError("usage", `no host of ${repo} was built yet`, {
      code: "UNKNOWN_REPO",
      hint: `there are hosts of ${[...new Set(all.map((host) => host.repo))].join(", ")}`,
    });
  }
  if (options.json === true) context.out.write(`${JSON.stringify({ hosts }, undefined, 2)}\n`);
  else {
    const { out, outStyle: style, clock } = context;
    out.write(
      renderHosts(hosts, { style, width: out.columns, now: clock.now(), absolute: options.absolute, ids }),
    );
  }
  return exitCodes.success;
}
