// `init`: from answers to a directory, and what to do next.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { programDirectory } from "../../base/program-directory.ts";
import { createExec } from "../../process/create-exec.ts";
import { natsServerVersion } from "../../wiring/nats-server-version.ts";
import { builderName } from "../../wiring/compose-builder.ts";
import type { RepoName } from "../../protocol/names.ts";
import { parseRepoName } from "../../protocol/names.ts";
import { configureRepos, parseRepoArgument } from "../arguments/repo-arguments.ts";
import type { Context } from "../context.ts";
import { nextText } from "../session/next-text.ts";
import { answersOf, askAnswers, type Answered, type Given, type Suggested } from "./answers.ts";
import { decideInstallation, type Plan, type PlannedRepo } from "./decide-installation.ts";
import { partsOf } from "./parts/all-parts.ts";
import type { Part } from "./part.ts";
import { sampleBranch, sampleName, writeSampleFlake } from "./sample-flake.ts";
import { isHttps, readToken, type TokenAccess } from "./token-access.ts";
import { requireFree, writeDirectory } from "./write-directory.ts";
import { writeParts } from "./write-parts.ts";

export interface InitOptions {
  /** Absolute. */
  readonly directory: string;
  readonly given: Omit<Given, "natsVersion"> & { readonly natsVersion?: string };
  readonly branch?: string;
  /** The path of the program on the machines. */
  readonly program?: string;
  readonly isDemo: boolean;
  /** Whether questions may be asked. */
  readonly isAsked: boolean;
}

export interface Written {
  readonly plan: Plan;
  readonly parts: readonly Part[];
}

/** @throws HomelabError `usage`; nothing is written then */
export async function runInit(context: Context, options: InitOptions, signal: AbortSignal): Promise<Written> {
  const { directory, isDemo, branch } = options;
  await requireFree(directory);
  const { environment } = context;
  const exec = createExec(context.clock);
  const path = environment["PATH"] ?? "";
  const given: Given = {
    ...options.given,
    // Only the machine of NATS knows; its configuration has a line for those who guess wrong.
    natsVersion:
      options.given.natsVersion ??
      (await natsServerVersion(exec, { PATH: path }, signal).catch(() => "2.10.0")),
  };
  const suggested = suggestedHere(context, isDemo);
  const {
    repos: texts,
    tokenFile,
    tokenUser,
    answers,
  }: Answered = options.isAsked
    ? await askAt(context, given, suggested, signal)
    : answersOf(given, suggested, isDemo);
  const access = await readToken({ texts, tokenFile, tokenUser }, context.environment);
  const needsSample = isDemo && texts.length === 0;
  const repos = needsSample
    ? { [parseRepoName(sampleName)]: { url: `file://${join(directory, sampleName)}`, branch: sampleBranch } }
    : await reposOf(context, texts, branch, access, signal);
  const plan = decideInstallation(answers, {
    directory,
    program: options.program ?? (answers.form === "nixos" ? "homelab-deploy" : ownProgram()),
    path: [dirname(process.execPath)],
    repos,
  });
  const parts = partsOf(plan);
  await writeDirectory(directory, async (partial) => {
    if (needsSample) {
      await writeSampleFlake(join(partial, sampleName), { exec, path, system: thisSystem() }, signal);
    }
    await writeParts(partial, plan, parts, access?.token);
    signal.throwIfAborted();
  });
  return { plan, parts };
}

function suggestedHere({ environment }: Context, isDemo: boolean): Suggested {
  const user = environment["SUDO_USER"] ?? environment["USER"] ?? "operator";
  return {
    machine: builderName({}),
    user: /^[A-Za-z0-9_][A-Za-z0-9_-]{0,61}$/.test(user) ? user : "operator",
    form: isDemo ? "in-place" : existsSync("/etc/NIXOS") ? "nixos" : "systemd",
  };
}

async function reposOf(
  { environment }: Context,
  texts: readonly string[],
  branch: string | undefined,
  access: TokenAccess | undefined,
  signal: AbortSignal,
): Promise<Readonly<Record<RepoName, PlannedRepo>>> {
  const configured = await configureRepos(
    texts,
    {
      branch,
      pollSeconds: 60,
      environment,
      credentials: access?.credentials,
      accessHint: "give `init` a token for a private repo (--token-file)",
    },
    signal,
  );
  return Object.fromEntries(
    Object.entries(configured).map(([name, { url, branch: found }]) => [
      name,
      { url, branch: found, ...(isHttps(url) ? { tokenUser: access?.credentials.username } : {}) },
    ]),
  );
}

async function askAt(
  context: Context,
  given: Given,
  suggested: Suggested,
  signal: AbortSignal,
): Promise<Answered> {
  const { input, err, errStyle } = context;
  if (input === undefined) return answersOf(given, suggested, false);
  const ask = async (question: string, fallback: string): Promise<string> => {
    err.write(`${question}${fallback === "" ? "" : ` [${errStyle.bold(fallback)}]`}: `);
    const answer = (await nextText(input, signal)).trim();
    return answer === "" ? fallback : answer;
  };
  return askAnswers(given, suggested, ask, {
    repo: (text) => parseRepoArgument(text),
    refuse: ({ message, hint = "" }) => void err.write(`${errStyle.clean(`${message}: ${hint}`)}\n`),
  });
}

/** The command of this checkout, or the file that was started where there is none. */
function ownProgram(): string {
  const ofCheckout = join(programDirectory, "../bin/homelab-deploy");
  return existsSync(ofCheckout) ? ofCheckout : (process.argv[1] ?? "homelab-deploy");
}

/** What Nix calls this machine. */
const thisSystem = (): string =>
  `${process.arch === "arm64" ? "aarch64" : "x86_64"}-${process.platform === "darwin" ? "darwin" : "linux"}`;
