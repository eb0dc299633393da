// News of pages by server-sent events. Everybody who looks at the same page gets the same bytes, made once. What a
// client missed in the last minute is sent again; after that, or after another start of the server, all of the page is.
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { differenceOf, wholeView, type Change, type View } from "../page/view.ts";

/** What a client is to the hub: an open response. */
export interface NewsClient {
  /** Bytes that wait to be taken. */
  readonly unsent: number;
  write(bytes: Buffer): void;
  close(): void;
}

export interface NewsHubOptions {
  /** @param subject of `connect` @throws what keeps the page from being made; the last view stays then */
  readonly render: (subject: string) => Promise<View>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface NewsHub {
  /** Something changed: pages are rendered again soon; only the affected ones, if they are named. */
  changed(concerns?: (subject: string) => boolean): void;
  /**
   * @param subject what the client looks at
   * @param mark of the view that it has
   * @returns what ends it
   */
  connect(subject: string, mark: string | undefined, client: NewsClient): () => void;
  readonly clients: () => number;
}

/** Milliseconds. */
const times = { soon: 30, between: 100, heartbeat: 15_000, kept: 60_000, retry: 2000 } as const;
/** Bytes. */
const mostUnsent = 1024 * 1024;
const alwaysKept = 64 * 1024;
const here = Buffer.from(": here\n\n");
const again = Buffer.from(`retry: ${times.retry}\n\n`);

interface Frame {
  readonly from: string;
  readonly bytes: Buffer;
  readonly at: number;
}

interface Subject {
  view: View | undefined;
  readonly clients: Set<NewsClient>;
  readonly frames: Frame[];
  keptBytes: number;
  isRendering: boolean;
  isStale: boolean;
  unusedSince: number;
}

export function createNewsHub({ render, clock, log }: NewsHubOptions, signal: AbortSignal): NewsHub {
  const subjects = new Map<string, Subject>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let lastRound = Number.NEGATIVE_INFINITY;
  let concerned: ((subject: string) => boolean)[] = [];

  function subjectOf(name: string): Subject {
    const known = subjects.get(name);
    if (known !== undefined) return known;
    const made: Subject = {
      view: undefined,
      clients: new Set(),
      frames: [],
      keptBytes: 0,
      isRendering: false,
      isStale: false,
      unusedSince: clock.monotonic(),
    };
    subjects.set(name, made);
    return made;
  }

  function schedule(concerns: (subject: string) => boolean = () => true): void {
    concerned.push(concerns);
    if (timer !== undefined || signal.aborted) return;
    const wait = Math.max(times.soon, lastRound + times.between - clock.monotonic());
    timer = setTimeout(() => {
      timer = undefined;
      lastRound = clock.monotonic();
      const round = concerned;
      concerned = [];
      for (const [name, subject] of subjects) {
        if (subject.clients.size > 0) {
          if (round.some((isConcerned) => isConcerned(name))) void refresh(name, subject);
        } else if (lastRound - subject.unusedSince > times.kept) subjects.delete(name);
      }
    }, wait);
  }

  /** @param isFirst somebody is being welcomed, who may have this view already */
  async function refresh(name: string, subject: Subject, isFirst = false): Promise<void> {
    if (subject.isRendering) {
      subject.isStale = true;
      return;
    }
    subject.isRendering = true;
    subject.isStale = false;
    try {
      const view = await render(name);
      const before = subject.view;
      subject.view = view;
      if (before === undefined && isFirst) return;
      const changes = before === undefined ? wholeView(view) : differenceOf(before, view);
      if (changes.length > 0) send(subject, before?.mark ?? "", view, changes);
    } catch (error) {
      log.debug({ err: error }, "a page could not be made for news");
    } finally {
      subject.isRendering = false;
      if (subject.isStale) schedule((each) => each === name);
    }
  }

  function send(subject: Subject, from: string, view: View, changes: readonly Change[]): void {
    const now = clock.monotonic();
    const bytes = frameOf(view.mark, changes);
    const { frames, clients } = subject;
    frames.push({ from, bytes, at: now });
    subject.keptBytes += bytes.length;
    // Whoever missed more than all of the page is better off with that.
    const mostKept = Math.max(alwaysKept, view.length);
    while (subject.keptBytes > mostKept || now - (frames[0]?.at ?? now) > times.kept) {
      subject.keptBytes -= frames.shift()?.bytes.length ?? 0;
    }
    for (const client of clients) deliver(client, bytes);
  }

  function deliver(client: NewsClient, bytes: Buffer): void {
    // It does not read: it gets all of the page when it comes back.
    if (client.unsent > mostUnsent) client.close();
    else client.write(bytes);
  }

  const heartbeat = setInterval(() => {
    for (const { clients } of subjects.values()) for (const client of clients) deliver(client, here);
  }, times.heartbeat);
  signal.addEventListener(
    "abort",
    () => {
      clearInterval(heartbeat);
      clearTimeout(timer);
      for (const { clients } of subjects.values()) for (const client of clients) client.close();
    },
    { once: true },
  );

  async function welcome(name: string, mark: string | undefined, client: NewsClient): Promise<void> {
    const subject = subjectOf(name);
    subject.clients.add(client);
    client.write(again);
    await refresh(name, subject, true);
    const { view, frames } = subject;
    if (view === undefined || !subject.clients.has(client) || view.mark === mark) return;
    const missed = frames.findLastIndex(({ from }) => from === mark);
    if (missed >= 0) for (const { bytes } of frames.slice(missed)) deliver(client, bytes);
    else deliver(client, frameOf(view.mark, wholeView(view)));
  }

  return {
    changed: schedule,
    clients: () => subjects.values().reduce((sum, { clients }) => sum + clients.size, 0),
    connect(name, mark, client) {
      welcome(name, mark, client).catch((error: unknown) =>
        log.error({ err: error }, "updating pages failed"),
      );
      return () => {
        const subject = subjects.get(name);
        subject?.clients.delete(client);
        if (subject !== undefined) subject.unusedSince = clock.monotonic();
      };
    },
  };
}

/** As it is sent: encoded once for everybody. */
const frameOf = (mark: string, changes: readonly Change[]): Buffer =>
  Buffer.from(`id: ${mark}\nevent: news\ndata: ${JSON.stringify(changes)}\n\n`);
