import type { Bytes } from './encoding.js'

export interface StoredDocument {
  readonly name: string
  readonly content: Bytes
}

interface Record {
  readonly session: string
  readonly savedAt: number
  readonly documents: readonly StoredDocument[]
}

const STORE = 'documents'
const A_DAY = 24 * 60 * 60 * 1000

/**
 * Keeps the chosen documents in this browser while it is at the signing service. What a closed tab left behind is removed after a day.
 */
export class DocumentStore {
  readonly #session: string
  constructor(session: string) {
    this.#session = session
  }

  async load(): Promise<readonly StoredDocument[]> {
    const record = await inStore('readonly', (store) => store.get(this.#session))
    return (record as Record | undefined)?.documents ?? []
  }

  async save(documents: readonly StoredDocument[]): Promise<void> {
    const record: Record = { session: this.#session, savedAt: Date.now(), documents }
    await inStore('readwrite', (store) => store.put(record))
  }

  /** What the documents became, until they are taken away. */
  async saveSigned(documents: readonly StoredDocument[]): Promise<void> {
    const record: Record = { session: this.#signed, savedAt: Date.now(), documents }
    await inStore('readwrite', (store) => store.put(record))
  }

  async loadSigned(): Promise<readonly StoredDocument[]> {
    const record = await inStore('readonly', (store) => store.get(this.#signed))
    return (record as Record | undefined)?.documents ?? []
  }

  async clear(): Promise<void> {
    await inStore('readwrite', (store) => store.delete(this.#session))
    await inStore('readwrite', (store) => store.delete(this.#signed))
  }

  get #signed(): string {
    return `${this.#session} signed`
  }

  async clearOld(): Promise<void> {
    const records = (await inStore('readonly', (store) => store.getAll())) as Record[]
    for (const { session, savedAt } of records) {
      if (Date.now() - savedAt > A_DAY) {
        await inStore('readwrite', (store) => store.delete(session))
      }
    }
  }
}

async function inStore(
  mode: IDBTransactionMode,
  use: (store: IDBObjectStore) => IDBRequest,
): Promise<unknown> {
  const database = await open()
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode)
      const request = use(transaction.objectStore(STORE))
      const fail = () => {
        reject(transaction.error ?? request.error ?? new Error('The documents could not be kept'))
      }
      transaction.oncomplete = () => {
        resolve(request.result)
      }
      transaction.onabort = fail
      transaction.onerror = fail
    })
  } finally {
    database.close()
  }
}

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open('openrssp-demo', 1)
    request.onupgradeneeded = () => {
      request.result.createObjectStore(STORE, { keyPath: 'session' })
    }
    request.onsuccess = () => {
      resolve(request.result)
    }
    request.onerror = () => {
      reject(request.error ?? new Error('The browser offers no storage'))
    }
  })
}
