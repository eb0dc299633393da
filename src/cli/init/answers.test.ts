import { expect, test } from "vitest";
import { parseRepoArgument } from "../arguments/repo-arguments.ts";
import { answersOf, askAnswers, type Suggested } from "./answers.ts";

const suggested: Suggested = { machine: "cache01", user: "kai", form: "systemd" };
const given = { natsVersion: "2.10.0" };

/** Somebody who answers by what is asked, and leaves the rest as it is suggested. */
function person(answers: Readonly<Record<string, string | readonly string[]>>): {
  readonly ask: (question: string, fallback: string) => Promise<string>;
  readonly asked: readonly string[];
} {
  const asked: string[] = [];
  const left = new Map(Object.entries(answers).map(([about, text]) => [about, [text].flat()]));
  return {
    asked,
    async ask(question, fallback) {
      asked.push(question);
      const about = [...left.keys()].find((each) => question.includes(each));
      const answer = about === undefined ? undefined : left.get(about)?.shift();
      return answer === undefined || answer === "" ? fallback : answer;
    },
  };
}

test("with nobody to ask, flags and suggestions are the answers", () => {
  expect(answersOf({ ...given, repos: ["https://git.lan/n.git"] }, suggested, false)).toMatchObject({
    repos: ["https://git.lan/n.git"],
    answers: {
      form: "systemd",
      nats: "nats://127.0.0.1:4222",
      builders: ["cache01"],
      operators: ["kai"],
      ci: [],
      updaters: [],
      dashboards: ["cache01"],
      hosts: [],
    },
  });
  expect(answersOf(given, suggested, true).answers).toMatchObject({ ci: ["pipeline"], updaters: ["timer"] });
});

test("what is not a repo is asked again, and nothing that flags said is asked at all", async () => {
  const refused: string[] = [];
  const { ask, asked } = person({
    "Repos to build": ["nowhere", "", "https://git.lan/n.git https://git.lan/m.git"],
    "flake inputs": "timer",
  });
  const { repos, answers } = await askAnswers({ ...given, nats: "nats://127.0.0.1:1" }, suggested, ask, {
    repo: (text) => parseRepoArgument(text, () => false),
    refuse: ({ message }) => void refused.push(message),
  });
  expect(repos).toEqual(["https://git.lan/n.git", "https://git.lan/m.git"]);
  expect(refused).toHaveLength(1);
  expect(asked.filter((question) => question.includes("Repos"))).toHaveLength(3);
  expect(asked.some((question) => question.includes("NATS"))).toBe(false);
  expect(answers).toMatchObject({ updaters: ["timer"], operators: ["kai"], hosts: [], form: "systemd" });
  // Nothing can be deployed to without a cache.
  expect(asked.some((question) => question.includes("deployed to"))).toBe(false);
});

test("a server with TLS and a cache bring more questions", async () => {
  const { ask } = person({
    "reach NATS": "tls://nats.lan:4222",
    "server's certificate": "/etc/nats/cert.pem",
    "key of that certificate": "/etc/nats/key.pem",
    "binary cache": "http://cache.lan:5000",
    "public key": "cache.lan-1:AbC=",
    "deployed to": "n/web01, n/web02",
    NixOS: "yes",
  });
  const { answers } = await askAnswers({ ...given, repos: ["/n"] }, suggested, ask, {
    repo: () => undefined,
    refuse: () => undefined,
  });
  expect(answers).toMatchObject({
    nats: "tls://nats.lan:4222",
    tlsCert: "/etc/nats/cert.pem",
    tlsKey: "/etc/nats/key.pem",
    tlsCa: undefined,
    cacheUrl: "http://cache.lan:5000",
    cacheKeys: ["cache.lan-1:AbC="],
    hosts: ["n/web01", "n/web02"],
    form: "nixos",
  });
});
