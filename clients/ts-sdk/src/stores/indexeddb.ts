/** Opens a database and makes the object stores that are missing; keys are given by the caller. */
export function openDatabase(name: string, storeNames: readonly string[]): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => {
    for (const storeName of storeNames)
      if (!request.result.objectStoreNames.contains(storeName)) request.result.createObjectStore(storeName);
  };
  return answerOf(request);
}

/** The result of a request. */
export function answerOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Runs a transaction whole or not at all; settles when it is on disk. `work` must not wait for anything else. */
export function transact(
  database: IDBDatabase,
  storeName: string,
  work: (store: IDBObjectStore) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(storeName, "readwrite", { durability: "strict" });
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("the transaction was aborted"));
    work(transaction.objectStore(storeName));
  });
}
