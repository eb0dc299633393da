import fc from "fast-check";
import { expect, test } from "vitest";
import { compareUrl } from "./compare-url.ts";

const a = "a".repeat(40);
const b = "b".repeat(40);
const between = (
  place: Readonly<Record<string, string>> & { type: string },
  giteaHosts: readonly string[] = [],
) => compareUrl({ ...place, rev: a }, { ...place, rev: b }, giteaHosts);

test.each([
  [
    { type: "github", owner: "NixOS", repo: "nixpkgs" },
    `https://github.com/NixOS/nixpkgs/compare/${a}...${b}`,
  ],
  [
    { type: "github", owner: "o", repo: "r", host: "git.example.com" },
    `https://git.example.com/o/r/compare/${a}...${b}`,
  ],
  [
    { type: "gitlab", owner: "group%2Fsub", repo: "r" },
    `https://gitlab.com/group/sub/r/-/compare/${a}...${b}`,
  ],
  [{ type: "sourcehut", owner: "~rycee", repo: "nmd" }, `https://git.sr.ht/~rycee/nmd/log/${b}`],
  [
    { type: "git", url: "https://gitea.example/me/repo.git" },
    `https://gitea.example/me/repo/compare/${a}...${b}`,
  ],
  [
    { type: "git", url: "https://gitea.example:3000/me/repo" },
    `https://gitea.example:3000/me/repo/compare/${a}...${b}`,
  ],
  [
    { type: "git", url: "ssh://git@gitea.example:2222/me/repo" },
    `https://gitea.example/me/repo/compare/${a}...${b}`,
  ],
  [{ type: "git", url: "https://gitea/me/repo" }, `https://gitea/me/repo/compare/${a}...${b}`],
  [{ type: "git", url: "https://github.com/o/r" }, `https://github.com/o/r/compare/${a}...${b}`],
])("%j has a page", (place, url) => {
  expect(between(place, ["gitea.example", "gitea"])).toBe(url);
});

test.each<{ type: string } & Record<string, string>>([
  { type: "git", url: "https://elsewhere.example/me/repo" },
  { type: "git", url: "https://token@gitea.example/me/repo" },
  { type: "git", url: "ssh://git:secret@gitea.example/me/repo" },
  { type: "git", url: "file:///srv/repo" },
  { type: "github", owner: "o/../../x", repo: "r" },
  { type: "github", owner: "o", repo: ".." },
  { type: "github", owner: "o)](https://x", repo: "r" },
  { type: "github", owner: "o", repo: "r", host: "evil.example/x" },
  { type: "tarball", url: "https://example.com/x.tar.gz" },
  { type: "path", path: "/srv" },
])("%j has none", (place) => {
  expect(between(place, ["gitea.example"])).toBeUndefined();
});

test("no page compares different repositories, the same commit, or what is no commit", () => {
  const place = { type: "github", owner: "o", repo: "r" };
  expect(compareUrl({ ...place, rev: a }, { ...place, repo: "other", rev: b })).toBeUndefined();
  expect(compareUrl({ ...place, rev: a }, { ...place, rev: a })).toBeUndefined();
  expect(compareUrl({ ...place, rev: a }, { ...place, rev: `${"b".repeat(39)})` })).toBeUndefined();
  expect(compareUrl(place, { ...place, rev: b })).toBeUndefined();
});

test("whatever the parts are, a page is a plain https URL", () => {
  const part = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom("ok", "a.b", "x%2Fy", "~me"));
  const reference = fc.record({
    type: fc.constantFrom("github", "gitlab", "sourcehut", "git"),
    owner: part,
    repo: part,
    host: fc.option(fc.oneof(part, fc.constant("git.example.com")), { nil: undefined }),
    url: fc.tuple(part, part).map(([owner, repo]) => `https://gitea.example/${owner}/${repo}`),
  });
  fc.assert(
    fc.property(reference, (place) => {
      const url = compareUrl({ ...place, rev: a }, { ...place, rev: b }, ["gitea.example"]);
      expect(url ?? "https://none/none").toMatch(/^https:\/\/[A-Za-z0-9.-]+(?::\d+)?\/[A-Za-z0-9_.~/-]+$/);
    }),
  );
});
