// From flags to answers: what is missing is asked at a terminal, and has a default everywhere else.
import { HomelabError } from "../../base/errors.ts";
import type { Answers, Form } from "./decide-installation.ts";

/** What flags said; undefined where they said nothing. */
export interface Given {
  readonly repos?: readonly string[];
  /** With a token for https. */
  readonly tokenFile?: string;
  readonly tokenUser?: string;
  readonly form?: Form;
  readonly nats?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly natsVersion: string;
  readonly cacheUrl?: string;
  readonly cacheKeys?: readonly string[];
  readonly builders?: readonly string[];
  readonly operators?: readonly string[];
  readonly ci?: readonly string[];
  readonly updaters?: readonly string[];
  readonly dashboards?: readonly string[];
  readonly hosts?: readonly string[];
}

/** What this machine suggests. */
export interface Suggested {
  readonly machine: string;
  readonly user: string;
  readonly form: Form;
}

export interface Answered {
  readonly repos: readonly string[];
  readonly tokenFile?: string;
  readonly tokenUser?: string;
  readonly answers: Answers;
}

/** Answers without asking anybody. A demo has every role that needs nothing from outside. */
export function answersOf(given: Given, suggested: Suggested, isDemo: boolean): Answered {
  const { repos = [], tokenFile, tokenUser, builders = [suggested.machine] } = given;
  return {
    repos,
    tokenFile,
    tokenUser,
    answers: {
      ...given,
      form: given.form ?? suggested.form,
      nats: given.nats ?? usualNats,
      cacheKeys: given.cacheKeys ?? [],
      builders,
      operators: given.operators ?? [suggested.user],
      ci: given.ci ?? (isDemo ? ["pipeline"] : []),
      updaters: given.updaters ?? (isDemo ? ["timer"] : []),
      dashboards: given.dashboards ?? builders.slice(0, 1),
      hosts: given.hosts ?? [],
    },
  };
}

const usualNats = "nats://127.0.0.1:4222";

/** Asks one thing; an empty answer is the fallback. */
export type Ask = (question: string, fallback: string) => Promise<string>;

/** @param check throws HomelabError `usage` for texts that are not repos; they are asked again */
export async function askAnswers(
  given: Given,
  suggested: Suggested,
  ask: Ask,
  check: { readonly repo: (text: string) => unknown; readonly refuse: (error: HomelabError) => void },
): Promise<Answered> {
  const words = async (known: readonly string[] | undefined, question: string, fallback: readonly string[]) =>
    known ?? splitWords(await ask(question, fallback.join(" ")));
  const text = async (known: string | undefined, question: string, fallback = "") => {
    const answer = known ?? (await ask(question, fallback));
    return answer === "" ? undefined : answer;
  };

  const repos = given.repos ?? (await askRepos(ask, check));
  const tokenFile = repos.some((repo) => repo.includes("https://"))
    ? await text(given.tokenFile, "File with a token for private https repos; empty: they are public")
    : given.tokenFile;
  const tokenUser =
    tokenFile === undefined
      ? given.tokenUser
      : await text(given.tokenUser, "The user name for that token", "git");
  const nats =
    (await text(given.nats, "Where do clients reach NATS? tls://HOST:4222 beyond this machine", usualNats)) ??
    usualNats;
  const isTls = nats.startsWith("tls://");
  const tlsCert = isTls
    ? await text(given.tlsCert, "The server's certificate, on the machine of NATS")
    : given.tlsCert;
  const tlsKey = isTls ? await text(given.tlsKey, "The key of that certificate") : given.tlsKey;
  const tlsCa = isTls
    ? await text(given.tlsCa, "Its authority on the clients' machines; empty: their systems trust it")
    : given.tlsCa;
  const cacheUrl = await text(given.cacheUrl, "The binary cache that hosts fetch from; empty: none");
  const cacheKeys =
    cacheUrl === undefined
      ? (given.cacheKeys ?? [])
      : await words(given.cacheKeys, "The public key of the cache, NAME:BASE64", []);
  const builders = await words(given.builders, "Machines that build", [suggested.machine]);
  const operators = await words(given.operators, "People who ask for builds and deploy", [suggested.user]);
  const ci = await words(given.ci, "Pipelines that ask for builds; empty: none", []);
  const updaters = await words(
    given.updaters,
    "Machines that update flake inputs every Sunday; empty: none",
    [],
  );
  const dashboards = await words(given.dashboards, "Machines that show the dashboard", builders.slice(0, 1));
  const hosts =
    cacheUrl === undefined
      ? (given.hosts ?? [])
      : await words(given.hosts, "Hosts that are deployed to, as REPO/HOST; empty: none", []);
  const form = given.form ?? (await askForm(ask, suggested.form));
  return {
    repos,
    tokenFile,
    tokenUser,
    answers: {
      ...given,
      form,
      nats,
      tlsCert,
      tlsKey,
      tlsCa,
      cacheUrl,
      cacheKeys,
      builders,
      operators,
      ci,
      updaters,
      dashboards,
      hosts,
    },
  };
}

async function askRepos(
  ask: Ask,
  { repo, refuse }: Parameters<typeof askAnswers>[3],
): Promise<readonly string[]> {
  for (;;) {
    const texts = splitWords(await ask("Repos to build: URLs, or paths of checkouts", ""));
    try {
      for (const text of texts) repo(text);
      if (texts.length > 0) return texts;
    } catch (error) {
      if (!(error instanceof HomelabError)) throw error;
      refuse(error);
    }
  }
}

async function askForm(ask: Ask, suggested: Form): Promise<Form> {
  const answer = await ask("Do the machines run NixOS?", suggested === "nixos" ? "yes" : "no");
  return /^y/i.test(answer) ? "nixos" : "systemd";
}

const splitWords = (text: string): readonly string[] => text.split(/[\s,]+/).filter((word) => word !== "");
