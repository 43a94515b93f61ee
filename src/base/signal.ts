/**
 * What one part tells another that is made after it. The signal exists before both: the teller is handed `tell`, and
 * whoever wants to know is added once it is there. What is told before anybody listens is heard by nobody.
 */
export interface Signal<News extends readonly unknown[]> {
  readonly tell: (...news: News) => void;
  /** Listeners hear in the order in which they were added. */
  readonly hear: (listener: (...news: News) => void) => void;
}

export function createSignal<News extends readonly unknown[]>(): Signal<News> {
  const listeners: ((...news: News) => void)[] = [];
  return {
    tell(...news) {
      for (const listener of listeners) listener(...news);
    },
    hear: (listener) => void listeners.push(listener),
  };
}
