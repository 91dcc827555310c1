import { randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MessageNotSentError } from '../errors.js'

export interface Message {
  /** An e-mail address, or a phone number in E.164. */
  readonly to: string
  /** Text messages have none to show. */
  readonly subject: string
  readonly text: string
}

/** Brings a message to a person. */
export interface Messenger {
  /**
   * Resolves once the next station has taken the message.
   * @throws {MessageNotSentError}
   */
  send(message: Message): Promise<void>
}

/** Stands where nothing is configured. */
export const NO_MESSENGER: Messenger = {
  send: () =>
    Promise.reject(
      new MessageNotSentError('unavailable', { cause: new Error('nothing is configured') }),
    ),
}

/** Messages as files, for trying out: whoever runs the service reads them there. */
export function outbox(folder: string): Messenger {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return {
    async send(message) {
      const file = join(folder, `${Date.now()}-${randomUUID()}.json`)
      const text = `${JSON.stringify(message, null, 2)}\n`
      await writeFile(file, text, { mode: 0o600 }).catch((cause: unknown) => {
        throw new MessageNotSentError('unavailable', { cause })
      })
    },
  }
}
