import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { createFakeClock } from "../../test/support/fake-clock.ts";
import { parseCommit } from "../protocol/names.ts";
import { createForge, type ForgeSettings } from "./create-forge.ts";

const never = new AbortController().signal;
const settings: ForgeSettings = {
  kind: "gitea",
  url: "https://git.example",
  owner: "home",
  repo: "nixos",
  tokenFile: "/run/forge-token",
};

/** Signs in to a server that knows everybody, and tells what it was asked. */
async function signIn(more: Partial<ForgeSettings>, version = "1.26.3", status = 200) {
  const asked: { readonly url: string; readonly headers: Headers }[] = [];
  const forge = await createForge(
    { ...settings, ...more },
    {
      fetch: async (input, init) => {
        const { url, headers } = new Request(input, init);
        asked.push({ url, headers });
        return Response.json({ version, login: "bot" }, { status });
      },
      clock: createFakeClock(),
      readSecret: async (file) => `secret-of-${file}`,
    },
    never,
  );
  return { forge, asked };
}

test.each([
  [{ url: "https://git.example/sub/path/" }, "https://git.example/sub/path/api/v1/version"],
  [{ url: "http://10.0.0.2:3000" }, "http://10.0.0.2:3000/api/v1/version"],
  [{ kind: "github", url: "https://github.com" }, "https://api.github.com/user"],
  [{ kind: "github", url: "https://ghe.example/" }, "https://ghe.example/api/v3/user"],
] as const)("%j is asked at %s", async (more, first) => {
  const { asked } = await signIn(more);
  expect(asked[0]?.url).toBe(first);
});

test("the address of a repository's page is not that of a forge", async () => {
  await expect(signIn({ url: "https://git.example/home/nixos" }, "", 404)).rejects.toMatchObject({
    kind: "config",
    code: "BAD_FORGE",
    hint: expect.stringContaining("start page") as string,
  });
});

test("each kind gets the token as it wants it", async () => {
  const gitea = await signIn({});
  expect(gitea.asked[0]?.headers.get("authorization")).toBe("token secret-of-/run/forge-token");
  const github = await signIn({ kind: "github" });
  expect(github.asked[0]?.headers.get("authorization")).toBe("Bearer secret-of-/run/forge-token");
  expect(github.asked[0]?.headers.get("x-github-api-version")).toBe("2022-11-28");
});

test.each([
  ["file:///etc/passwd"],
  ["git.example"],
  ["https://bot:hunter2@git.example"],
  ["https://git.example/?token=hunter2"],
  ["https://git.example/#x"],
])("%s is no URL of a forge, and is not repeated", async (url) => {
  const error: unknown = await signIn({ url }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ kind: "config", code: "BAD_FORGE" });
  expect(inspect(error)).not.toContain("hunter2");
});

test.each([["."], [".."], ["a/b"], [""], ["a b"], ["a?b"]])(
  "%j is no owner and no repository",
  async (name) => {
    await expect(signIn({ owner: name })).rejects.toMatchObject({ kind: "config", code: "BAD_FORGE" });
    await expect(signIn({ repo: name })).rejects.toMatchObject({ kind: "config", code: "BAD_FORGE" });
  },
);

describe("pages for people", () => {
  const to = parseCommit("b".repeat(40));

  test.each([
    ["gitea", "https://git.example/sub"],
    ["github", "https://github.com"],
  ] as const)("of %s", async (kind, url) => {
    const { forge } = await signIn({ kind, url });
    const page = `${url}/home/nixos`;
    expect(forge.web.repository).toBe(page);
    expect(forge.web.commit(to)).toBe(`${page}/commit/${to}`);
  });
});
