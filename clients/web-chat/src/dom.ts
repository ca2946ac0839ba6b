/** Properties of an element; `class`, `aria-*`, `role` and `data-*` are attributes, `onX` are listeners. */
export type Props = Readonly<Record<string, string | number | boolean | ((event: Event) => void) | undefined>>;

/** What may stand inside an element; text is always text. */
export type Child = Node | string | undefined;

/** Makes an element. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2).toLowerCase(), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** A row of a list, with what makes it look as it does. */
export interface Row {
  readonly key: string;
  /** Equal signatures look equal: the element stays as it is. */
  readonly signature: string;
  readonly render: () => HTMLElement;
}

/** Keeps the children of one element equal to a list of rows, touching only what has changed. */
export function createRowList(parent: HTMLElement): (rows: readonly Row[]) => void {
  let shown = new Map<string, { signature: string; element: HTMLElement }>();
  return (rows) => {
    const next = new Map<string, { signature: string; element: HTMLElement }>();
    for (const { key, signature, render } of rows) {
      const old = shown.get(key);
      next.set(key, old?.signature === signature ? old : { signature, element: render() });
    }
    for (const [key, { element }] of shown) if (next.get(key)?.element !== element) element.remove();
    let place = parent.firstChild;
    for (const { element } of next.values()) {
      if (place === element) place = place.nextSibling;
      else parent.insertBefore(element, place);
    }
    shown = next;
  };
}
