/** So near to an edge counts as at the edge. */
const edgePx = 80;

/** The place of a reader in a list that changes. */
export interface ScrollKeeper {
  /** The newest row is in view, and stays so. */
  readonly atEnd: boolean;
  /** The oldest row is nearly in view. */
  readonly atStart: boolean;
  /** Changes the list; what the reader looks at stays where it is. */
  keep(change: () => void): void;
  toEnd(): void;
  /** Takes the place from the scroller, after the reader has scrolled. */
  read(): void;
}

/** Keeps the place in `scroller`, whose rows in `list` are known by their data-seq. */
export function createScrollKeeper(scroller: HTMLElement, list: HTMLElement): ScrollKeeper {
  let atEnd = true;
  const toEnd = (): void => {
    atEnd = true;
    scroller.scrollTop = scroller.scrollHeight;
  };
  const topRow = (): HTMLElement | undefined => {
    const { top } = scroller.getBoundingClientRect();
    const rows = list.querySelectorAll<HTMLElement>("[data-seq]");
    return [...rows].find((row) => row.getBoundingClientRect().bottom > top);
  };
  return {
    get atEnd() {
      return atEnd;
    },
    get atStart() {
      return scroller.scrollTop < edgePx;
    },
    keep(change) {
      const row = atEnd ? undefined : topRow();
      const seq = row?.dataset.seq;
      const oldTop = row?.getBoundingClientRect().top ?? 0;
      change();
      if (atEnd) toEnd();
      const same = seq === undefined ? null : list.querySelector(`[data-seq="${seq}"]`);
      if (same !== null) scroller.scrollTop += same.getBoundingClientRect().top - oldTop;
    },
    toEnd,
    read() {
      atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < edgePx;
    },
  };
}
