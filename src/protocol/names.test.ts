import fc from "fast-check";
import { expect, test } from "vitest";
import { HomelabError } from "../base/errors.ts";
import {
  isHostName,
  isRepoName,
  parseBranchName,
  parseBuildId,
  parseCommit,
  parseHostName,
  parseRepoName,
} from "./names.ts";
import { eventSubject, isReplySubject, logSubject, parseRequestSubject, requestSubject } from "./subjects.ts";
import { derivedBuildId, newBuildId, timeOf } from "./ulid.ts";

test.each(["web01", "web.example.com", "_gateway", "A", "a".repeat(128), "x_-.y"])(
  "%s is a host name",
  (name) => {
    expect(isHostName(name)).toBe(true);
  },
);

test.each([
  "",
  "-dash",
  "dash-",
  ".dot",
  "a b",
  "a/b",
  "*",
  ">",
  "a*",
  "all",
  "any",
  "ünï",
  "a\n",
  "$(id)",
  "a".repeat(129),
])("%j is no host name, and the error says what is allowed", (name) => {
  expect(isHostName(name)).toBe(false);
  expect(() => parseHostName(name)).toThrow(HomelabError);
  expect(() => parseHostName(name)).toThrow(/is not a valid host name/);
});

test.each(["nixos-servers", "nixos", "a", "0"])("%s is a repo name", (name) =>
  expect(isRepoName(name)).toBe(true),
);
test.each(["", "Nixos", "a.b", "-a", "a-", "all", "any", "a_b", "a".repeat(64)])(
  "%j is no repo name",
  (name) => expect(isRepoName(name)).toBe(false),
);

test.each(["master", "flake-update/2026-11-23", "v1.2", "feature_x"])("%s is a branch", (name) =>
  expect(parseBranchName(name)).toBe(name),
);
test.each([
  "--upload-pack=evil",
  "-x",
  "a..b",
  "a//b",
  "/a",
  "a/",
  "a.lock",
  "a@{1}",
  "a b",
  "a~1",
  "a^",
  "a:b",
  ".hidden",
  "a/.b",
  "*",
])("%j is no branch", (name) => {
  expect(() => parseBranchName(name)).toThrow(HomelabError);
});

test("a commit is a whole hash", () => {
  expect(parseCommit("0123456789abcdef0123456789abcdef01234567")).toHaveLength(40);
  for (const wrong of ["9c41e7f", "HEAD", "0123456789ABCDEF0123456789ABCDEF01234567", ""])
    expect(() => parseCommit(wrong)).toThrow(HomelabError);
});

test("no text becomes a name that could mean anything else in a subject, a path or an argument", () => {
  const text = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.string({
      unit: fc.constantFrom("a", "-", ".", "*", ">", "/", " ", "\n", "\0", "%", "_"),
      maxLength: 8,
    }),
  );
  fc.assert(
    fc.property(text, (name) => {
      if (!isHostName(name)) return;
      const subject = requestSubject({ repo: "any", host: name });
      expect(subject.split(".")).toHaveLength(3);
      expect(subject).not.toMatch(/[*>\s\0]/);
      expect(parseRequestSubject(subject)).toEqual({ repo: "any", host: name });
      expect(name).not.toMatch(/^[-.]|\/|\.$/);
    }),
    { numRuns: 20_000 },
  );
});

test.each([
  "build",
  "build.a",
  "build.a.b.c",
  "build.a.web.example.com",
  "build.*.all",
  "build.any.>",
  "build..x",
  "build.a. ",
  "builds.a.b",
  "build.a.%2E",
  "build.all.x",
])("%j is no subject of a request", (subject) => {
  expect(() => parseRequestSubject(subject)).toThrow(HomelabError);
});

test("dots of a host name are written %2E", () => {
  const host = parseHostName("web.example.com");
  expect(requestSubject({ repo: parseRepoName("nixos"), host })).toBe("build.nixos.web%2Eexample%2Ecom");
});

test("ids sort by time, and the same stored message always gets the same id", () => {
  const [earlier, later] = [newBuildId(new Date(1_700_000_000_000)), newBuildId(new Date(1_800_000_000_000))];
  expect(earlier < later).toBe(true);
  expect(timeOf(later).getTime()).toBe(1_800_000_000_000);
  const stored = new Date("2026-11-23T14:00:00Z");
  const stream = { created: "2026-01-01T00:00:00Z" };
  expect(derivedBuildId(stream, 7, stored)).toBe(derivedBuildId(stream, 7, stored));
  expect(derivedBuildId(stream, 7, stored)).not.toBe(derivedBuildId(stream, 8, stored));
  expect(derivedBuildId({ created: "2026-02-01T00:00:00Z" }, 7, stored)).not.toBe(
    derivedBuildId(stream, 7, stored),
  );
  expect(parseBuildId(later)).toBe(later);
  expect(eventSubject(later)).toBe(`build-events.${later}`);
  expect(logSubject(later, 3)).toBe(`build-logs.${later}.3`);
});

test.each([
  ["build-replies.ci.job-7", true],
  ["build-replies.ci", true],
  ["build-replies.", false],
  ["build-replies", false],
  ["build-replies.*", false],
  ["build-replies.a.>", false],
  ["build.nixos.all", false],
  ["build-events.01JD0000000000000000000000", false],
  ["_INBOX.x", false],
  ["build-replies.a b", false],
])("a reply to %j: %s", (subject, allowed) => {
  expect(isReplySubject(subject)).toBe(allowed);
});
