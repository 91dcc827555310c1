import type { ComponentChild } from 'preact'
import type { Language } from '../../pages/language.js'

type Child = ComponentChild
type Phrase = Child[]

const en = {
  title: 'Passkeys',
  means:
    'With a passkey you sign in without a password, and approve signatures where your certificate asks for it. It stays on your device, phone or security key, which checks your fingerprint, face or PIN.',
  none: 'You have no passkey yet.',
  created: (time: Child): Phrase => ['Added on ', time],
  used: (time: Child): Phrase => ['Last used on ', time],
  unused: 'Not used yet',
  rename: 'Name',
  save: 'Save name',
  removeLink: (name: Child): Phrase => ['Remove “', name, '” …'],
  add: 'Add a passkey',
  byCode: (link: Child): Phrase => ['No second factor, or none that works any more? ', link],
  byCodeLink: 'Add a passkey with an enrolment code.',
  adding: {
    title: 'Add a passkey',
    means:
      'Your browser asks where to keep the passkey. If it goes on a phone or security key, choose another device there.',
    name: 'Name',
    nameHint: 'So that you know it again, such as “Phone” or “Key on my key ring”',
    code: 'Enrolment code',
    codeHint: '16 letters and digits, from your signing service',
    go: 'Create passkey',
    needsCode: (link: Child): Phrase => [
      'You signed in with a password alone. To add a passkey you need an enrolment code from your signing service. ',
      link,
    ],
    impossible:
      'No passkey can be added: you have as many as an account can have, or this service is not reached by a name that passkeys can belong to.',
  },
  removing: {
    title: 'Remove this passkey?',
    means:
      'It opens nothing here any more, and approvals that are not used yet end at once. Delete it on your device, too.',
    last: 'It is your last one. Certificates that are approved with a passkey cannot be used until you add another.',
    go: 'Remove',
    keep: 'Keep it',
  },
  problems: {
    name: 'Please give the passkey a name of 1 to 60 characters, such as “Phone”.',
    'wrong-enrolment-code':
      'The enrolment code is not correct, was used already or has expired. Please check it, or ask your signing service for a new one.',
    'too-many-attempts': 'There were too many attempts. Please wait a few minutes, then try again.',
  },
}

export type PasskeyMessages = typeof en

const de: PasskeyMessages = {
  title: 'Passkeys',
  means:
    'Mit einem Passkey melden Sie sich ohne Passwort an und geben Signaturen frei, wo Ihr Zertifikat das verlangt. Er bleibt auf Ihrem Gerät, Telefon oder Sicherheitsschlüssel, der Fingerabdruck, Gesicht oder PIN prüft.',
  none: 'Sie haben noch keinen Passkey.',
  created: (time) => ['Hinzugefügt am ', time],
  used: (time) => ['Zuletzt verwendet am ', time],
  unused: 'Noch nicht verwendet',
  rename: 'Name',
  save: 'Namen speichern',
  removeLink: (name) => ['„', name, '“ entfernen …'],
  add: 'Passkey hinzufügen',
  byCode: (link) => ['Kein zweiter Faktor, oder keiner mehr, der geht? ', link],
  byCodeLink: 'Passkey mit einem Einrichtungscode hinzufügen.',
  adding: {
    title: 'Passkey hinzufügen',
    means:
      'Ihr Browser fragt, wo der Passkey gespeichert wird. Soll er auf ein Telefon oder einen Sicherheitsschlüssel, wählen Sie dort ein anderes Gerät.',
    name: 'Name',
    nameHint: 'Damit Sie ihn wiedererkennen, etwa „Telefon“ oder „Schlüssel am Schlüsselbund“',
    code: 'Einrichtungscode',
    codeHint: '16 Buchstaben und Ziffern, von Ihrem Signaturdienst',
    go: 'Passkey anlegen',
    needsCode: (link) => [
      'Sie haben sich nur mit einem Passwort angemeldet. Um einen Passkey hinzuzufügen, brauchen Sie einen Einrichtungscode von Ihrem Signaturdienst. ',
      link,
    ],
    impossible:
      'Es kann kein Passkey hinzugefügt werden: Sie haben so viele, wie ein Konto haben kann, oder dieser Dienst ist nicht unter einem Namen erreichbar, zu dem Passkeys gehören können.',
  },
  removing: {
    title: 'Diesen Passkey entfernen?',
    means:
      'Er öffnet hier dann nichts mehr, und noch nicht genutzte Freigaben enden sofort. Löschen Sie ihn auch auf Ihrem Gerät.',
    last: 'Es ist Ihr letzter. Zertifikate, die mit einem Passkey freigegeben werden, können erst wieder verwendet werden, wenn Sie einen neuen hinzufügen.',
    go: 'Entfernen',
    keep: 'Behalten',
  },
  problems: {
    name: 'Bitte geben Sie dem Passkey einen Namen mit 1 bis 60 Zeichen, etwa „Telefon“.',
    'wrong-enrolment-code':
      'Der Einrichtungscode ist nicht richtig, wurde bereits verwendet oder ist abgelaufen. Bitte prüfen Sie ihn oder bitten Sie Ihren Signaturdienst um einen neuen.',
    'too-many-attempts':
      'Es gab zu viele Versuche. Bitte warten Sie einige Minuten und versuchen Sie es dann erneut.',
  },
}

export const PASSKEY_MESSAGES: Record<Language, PasskeyMessages> = { en, de }
