// The interrupt model: the event stream made into journeys, counters and answers. No DOM, no host; the page, the
// command line and the public interface stand on it.
export * from "./counters";
export * from "./explain";
export * from "./gates";
export * from "./journeys";
export * from "./model";
export * from "./names";
export * from "./state";
export * from "./symbols";
export * from "./words";
export * from "./writers";
