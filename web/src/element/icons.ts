const paths = {
  power: "M12 3v9M6.3 6.8a8 8 0 1 0 11.4 0",
  play: "M7 5l12 7-12 7z",
  pause: "M8 5v14M16 5v14",
  reset: "M4.5 12a7.5 7.5 0 1 0 2.4-5.5M4.5 3.5v4h4",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  paste: "M8 5H5v16h14V5h-3M9 3h6v4H9zM9 12h6M9 16h4",
  resize: "M4 9V4h5M20 15v5h-5M4 4l6 6M20 20l-6-6",
  keys: "M3 7h18v11H3zM7 11h.01M11 11h.01M15 11h.01M8 15h8",
  reader: "M12 5.5h.01M5 9c5 1.4 9 1.4 14 0M12 10v4l-3 6M12 14l3 6",
  screen: "M3 5h18v12H3zM9 21h6M12 17v4",
  interrupts: "M3 12h4l3-8 4 16 3-8h4",
} as const;
export type IconName = keyof typeof paths;

/** A line icon that takes the text's colour. */
export const icon = (name: IconName): string =>
  `<svg viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.8" ` +
  `stroke-linecap="round" stroke-linejoin="round"><path d="${paths[name]}"/></svg>`;
