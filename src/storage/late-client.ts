import type { PrismaClient } from './prisma-client/client.js'

/** A client that is loaded for the first who reads by it, and what ends it. */
export interface LateClient {
  readonly read: PrismaClient
  disconnect(): Promise<void>
}

type Method = (...args: unknown[]) => Promise<unknown>
type Methods = Readonly<Record<string, Method>>

/**
 * Prisma's query compiler takes a third of a second to load, and 60 MB: a start, and many a command, have
 * no need of it. Of the client there are the methods, its own and those of its models.
 */
export function lateClient(load: () => Promise<PrismaClient>): LateClient {
  let loading: Promise<PrismaClient> | null = null
  const client = (): Promise<PrismaClient> => {
    loading ??= load().catch((error: unknown) => {
      loading = null
      throw error
    })
    return loading
  }
  const own =
    (name: string) =>
    async (...args: unknown[]) => {
      const methods = (await client()) as unknown as Methods
      return methods[name]?.(...args)
    }
  const ofModel =
    (model: string, name: string) =>
    async (...args: unknown[]) => {
      const models = (await client()) as unknown as Readonly<Record<string, Methods>>
      return models[model]?.[name]?.(...args)
    }
  const methodsOf = (model: string) =>
    new Proxy({}, { get: (_, name: string) => ofModel(model, name) })
  const part = (name: string) => (name.startsWith('$') ? own(name) : methodsOf(name))
  return {
    read: new Proxy({}, { get: (_, name: string) => part(name) }) as PrismaClient,
    async disconnect() {
      await (await loading)?.$disconnect()
    },
  }
}
