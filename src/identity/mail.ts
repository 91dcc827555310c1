import { readFileSync } from 'node:fs'
import type { Config } from '../config/schema.js'
import { MessageNotSentError } from '../errors.js'
import { keptPromise } from '../kept-promise.js'
import { NO_MESSENGER, outbox, type Messenger } from './messenger.js'

/** The configured way for messages to signers by e-mail. */
export function openMail({ mail }: Pick<Config, 'mail'>): Messenger {
  switch (mail?.transport) {
    case 'smtp':
      return smtp(mail)
    case 'outbox':
      return outbox(mail.folder)
    case undefined:
      return NO_MESSENGER
  }
}

type SmtpSettings = Extract<NonNullable<Config['mail']>, { transport: 'smtp' }>

function smtp(settings: SmtpSettings): Messenger {
  const { host, port, from, user, passwordFile, caFile } = settings
  const pass = passwordFile === undefined ? '' : readFileSync(passwordFile, 'utf8').trim()
  const options = {
    ...{ host, port, requireTLS: settings.allowPlainText !== true, secure: port === 465 },
    ...(user === undefined ? {} : { auth: { user, pass } }),
    ...(caFile === undefined ? {} : { tls: { ca: readFileSync(caFile) } }),
    connectionTimeout: 5000,
    greetingTimeout: 5000,
    socketTimeout: 10_000,
    disableFileAccess: true,
    disableUrlAccess: true,
  }
  // A start waits for no library that only the first message needs.
  const transport = keptPromise(async () => (await import('nodemailer')).createTransport(options))
  return {
    async send({ to, subject, text }) {
      try {
        // As one address, never as a list: whoever vouched for it may have been lied to.
        await (await transport()).sendMail({ from, to: { name: '', address: to }, subject, text })
      } catch (error) {
        const why = isRefusedAddress(error) ? 'address-refused' : 'unavailable'
        throw new MessageNotSentError(why, { cause: error })
      }
    },
  }
}

/** Refused for good (RFC 5321, 4.2.1), and because of where it goes: trying again will not help. */
function isRefusedAddress(error: unknown): boolean {
  const { command, responseCode = 0 } = error as { command?: string; responseCode?: number }
  return command === 'RCPT TO' && responseCode >= 500
}
