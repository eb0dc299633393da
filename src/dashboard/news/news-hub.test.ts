import { expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { html } from "../page/html.ts";
import { section } from "../page/page.ts";
import { createView, type View } from "../page/view.ts";
import { createNewsHub, type NewsClient } from "./news-hub.ts";

const viewOf = (text: string): View =>
  createView(
    { status: 200, title: "t", tone: "good", place: "/", sections: [section("a", html`${text}`)] },
    [],
  );

interface TestClient extends NewsClient {
  readonly got: readonly string[];
  readonly isClosed: () => boolean;
}
function aClient(unsent = 0): TestClient {
  const got: string[] = [];
  let closed = false;
  return {
    unsent,
    got,
    isClosed: () => closed,
    write(bytes) {
      const text = bytes.toString();
      if (text.startsWith("id:")) got.push(/data: (?<data>.*)/.exec(text)?.groups?.["data"] ?? "");
    },
    close: () => (closed = true),
  };
}
const replaced = (text: string): string =>
  JSON.stringify([{ key: "a", html: `<section data-key="a">${text}</section>` }]);

function aHub(): {
  hub: ReturnType<typeof createNewsHub>;
  say: (text: string) => void;
  end: () => void;
  rendered: () => number;
} {
  const stopped = new AbortController();
  let text = "0";
  let rendered = 0;
  const hub = createNewsHub(
    {
      clock: systemClock,
      log: silentLog,
      render: async () => {
        rendered++;
        return viewOf(text);
      },
    },
    stopped.signal,
  );
  return {
    hub,
    say(next) {
      text = next;
      hub.changed();
    },
    end: () => stopped.abort(),
    rendered: () => rendered,
  };
}

test("who has the page gets only what changes, and a page is made once for all who look at it", async () => {
  const { hub, say, end, rendered } = aHub();
  const [one, two] = [aClient(), aClient()];
  hub.connect("/", viewOf("0").mark, one);
  hub.connect("/", viewOf("0").mark, two);
  await expect.poll(rendered).toBeGreaterThan(0);
  await new Promise((resolve) => setTimeout(resolve, 0));
  const before = rendered();
  say("1");
  await expect.poll(() => two.got).toEqual([replaced("1")]);
  expect(one.got).toEqual([replaced("1")]);
  expect(rendered() - before).toBeLessThanOrEqual(2);
  end();
});

test("who comes back gets what was missed, and after another start of the server all of the page", async () => {
  const { hub, say, end } = aHub();
  const witness = aClient();
  hub.connect("/", viewOf("0").mark, witness);
  for (const text of ["1", "2", "3"]) {
    say(text);
    await expect.poll(() => witness.got.at(-1)).toBe(replaced(text));
  }
  const back = aClient();
  hub.connect("/", viewOf("1").mark, back);
  await expect.poll(() => back.got).toEqual([replaced("2"), replaced("3")]);
  const stranger = aClient();
  hub.connect("/", "of another server", stranger);
  await expect
    .poll(() => stranger.got)
    .toEqual([JSON.stringify([{ key: "main", html: '<section data-key="a">3</section>' }])]);
  const current = aClient();
  hub.connect("/", viewOf("3").mark, current);
  say("4");
  await expect.poll(() => current.got).toEqual([replaced("4")]);
  end();
});

test("who does not read is cut off, and who has left is counted no more", async () => {
  const { hub, say, end } = aHub();
  const stuck = aClient(2 * 1024 * 1024);
  const leave = hub.connect("/", viewOf("0").mark, stuck);
  expect(hub.clients()).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, 0));
  say("1");
  await expect.poll(stuck.isClosed).toBe(true);
  leave();
  expect(hub.clients()).toBe(0);
  end();
});
