import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createTransport } from 'nodemailer'
import type { Config } from '../config/schema.js'
import type { Messenger } from './sent-codes.js'

/** The configured way for messages to signers. */
export function openMail({ mail }: Config): Messenger {
  switch (mail?.transport) {
    case 'smtp':
      return smtp(mail)
    case 'outbox':
      return outbox(mail.folder)
    case undefined:
      return { send: () => Promise.reject(new Error('No mail is configured')) }
  }
}

type SmtpSettings = Extract<NonNullable<Config['mail']>, { transport: 'smtp' }>

function smtp(settings: SmtpSettings): Messenger {
  const { host, port, from, user, passwordFile } = settings
  const pass = passwordFile === undefined ? '' : readFileSync(passwordFile, 'utf8').trim()
  const transport = createTransport({
    ...{ host, port, requireTLS: settings.allowPlainText !== true, secure: port === 465 },
    ...(user === undefined ? {} : { auth: { user, pass } }),
    connectionTimeout: 5000,
    socketTimeout: 10_000,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return {
    async send({ to, subject, text }) {
      await transport.sendMail({ from, to, subject, text })
    },
  }
}

/** Messages as files, for the sandbox: whoever runs it reads them there. */
function outbox(folder: string): Messenger {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return {
    async send(message) {
      const file = join(folder, `${Date.now()}-${randomUUID()}.json`)
      await writeFile(file, `${JSON.stringify(message, null, 2)}\n`, { mode: 0o600 })
    },
  }
}
