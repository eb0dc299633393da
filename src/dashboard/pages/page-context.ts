// What every page is made from.
import type { BuildReader, FleetWatcher } from "../../bus/bus.ts";
import type { LogLibrary } from "../log/log-library.ts";
import type { FleetPicture } from "../state/fleet-picture.ts";
import type { FollowedFleet } from "../state/follow-fleet.ts";
import type { SearchTurns } from "../log/search-turns.ts";

export interface PageContext {
  readonly url: URL;
  readonly picture: FleetPicture;
  readonly fleet: FollowedFleet;
  readonly reader: BuildReader;
  readonly watcher: FleetWatcher;
  readonly logs: LogLibrary;
  /** Logs can hold secrets: whether this visitor sees them. */
  readonly showsLogs: boolean;
  /** Searches wait here for their turn. */
  readonly searches: SearchTurns;
  /** The forge's pages, where the configuration names it. */
  readonly forge?: string;
  /** It is made for news: sections that news does not touch may be left out. */
  readonly isNews: boolean;
  readonly now: Date;
}
