import type { ComponentChild } from 'preact'
import type { Language } from './language.js'

type Child = ComponentChild
type Phrase = Child[]

const en = {
  service: 'Remote signing service',
  caution: 'Enter a password, PIN or code here only if you started this yourself.',
  problem: 'Problem',
  skip: 'Skip to content',
  language: 'English',
  otherLanguages: 'This page in other languages',
  unnamedClient: 'An application without a name',
  minutes: (minutes: number) => (minutes === 1 ? '1 minute' : `${minutes} minutes`),
  seconds: (seconds: number) => (seconds === 1 ? '1 second' : `${seconds} seconds`),
  locale: 'en-GB',
  passkey: {
    signIn: 'Sign in with a passkey',
    approve: (count: number) =>
      count === 1 ? 'Approve with a passkey' : `Approve ${count} signatures with a passkey`,
    choose: 'Continue with this certificate',
    approveHint:
      'To approve, you confirm with a passkey: this device, your phone or a security key asks for your fingerprint, face or device PIN. What is listed above is signed then, and nothing else.',
    problems: {
      cancelled:
        'The passkey was not used: it was cancelled, or this device has none for your account. Please try again. If your passkey is on a phone or security key, choose to use another device.',
      'timed-out':
        'It took too long until the passkey was used. Please have your device at hand and try again.',
      unsupported:
        'This browser cannot use passkeys here. Please open this page in a current browser, on a device that has a screen lock.',
      failed:
        'The passkey could not be used on this device. Please try again, or use a passkey on another device.',
      exists:
        'This device has a passkey for your account already. Use another device for a new one.',
      'no-script':
        'Passkeys need JavaScript. Please switch it on for this page and load it again; nothing else here needs it.',
      'not-enrolled':
        'This certificate is approved with a passkey, but your account has none that can be used here. Please add one on your account’s pages, then start again from the application.',
      needed:
        'A password is not enough for this, because your account has a passkey. Please sign in with the passkey.',
      unknown:
        'This passkey is not accepted here. It may have been removed, or belong to another account. Please use another passkey, or another way.',
      expired: 'That answer came too late, or was given before. Please try again.',
      cloned:
        'This passkey was refused: it looks as if it had been copied. Nothing was done. Please use another way, remove the passkey from your account and tell your signing service.',
      refused:
        'The answer of the passkey could not be accepted. Nothing was done. Please try again; if it happens again, contact your signing service.',
      taken: 'This passkey is in use already. Please use another device, or remove it there first.',
    },
  },
  otp: {
    label: 'One-time code',
    hint: '6 digits from your authenticator app',
    problems: {
      'wrong-code':
        'The one-time code is not correct. Please enter the one that your app shows now, or that was sent to you last.',
      'used-code':
        'This one-time code has been used already. Please wait until your app shows the next one.',
      'used-sent-code':
        'This code has been used already, or a newer one was sent since. Please enter the newest one, or ask for another.',
      'expired-code': 'This code has expired. Please ask for a new one.',
      'wrong-recovery-code':
        'This is not one of your recovery codes, nor a valid enrolment code. Please check it letter by letter, or ask your signing service for a new enrolment code.',
      'used-recovery-code':
        'This recovery code has been used already. Please cross it off and take another one.',
    },
  },
  locked: (until: Child): Phrase => [
    'There were too many wrong entries. For your protection, this is locked until ',
    until,
    '. Please try again then. If it was not you who tried, tell your signing service.',
  ],
}

/** What is said on the pages of more than one folder. */
export type PageMessages = typeof en

const de: PageMessages = {
  service: 'Fernsignaturdienst',
  caution:
    'Geben Sie Passwort, PIN oder Code hier nur ein, wenn Sie den Vorgang selbst begonnen haben.',
  problem: 'Problem',
  skip: 'Zum Inhalt springen',
  language: 'Deutsch',
  otherLanguages: 'Diese Seite in anderen Sprachen',
  unnamedClient: 'Eine Anwendung ohne Namen',
  minutes: (minutes) => (minutes === 1 ? '1 Minute' : `${minutes} Minuten`),
  seconds: (seconds) => (seconds === 1 ? '1 Sekunde' : `${seconds} Sekunden`),
  locale: 'de-DE',
  passkey: {
    signIn: 'Mit Passkey anmelden',
    approve: (count) =>
      count === 1 ? 'Mit Passkey freigeben' : `${count} Signaturen mit Passkey freigeben`,
    choose: 'Weiter mit diesem Zertifikat',
    approveHint:
      'Zur Freigabe bestätigen Sie mit einem Passkey: Dieses Gerät, Ihr Telefon oder ein Sicherheitsschlüssel fragt nach Fingerabdruck, Gesicht oder Geräte-PIN. Signiert wird dann, was oben aufgeführt ist, und sonst nichts.',
    problems: {
      cancelled:
        'Der Passkey wurde nicht verwendet: Der Vorgang wurde abgebrochen, oder auf diesem Gerät ist keiner für Ihr Konto. Bitte versuchen Sie es noch einmal. Ist Ihr Passkey auf einem Telefon oder Sicherheitsschlüssel, wählen Sie ein anderes Gerät.',
      'timed-out':
        'Es hat zu lange gedauert, bis der Passkey verwendet wurde. Bitte halten Sie Ihr Gerät bereit und versuchen Sie es noch einmal.',
      unsupported:
        'Dieser Browser kann hier keine Passkeys verwenden. Bitte öffnen Sie die Seite in einem aktuellen Browser auf einem Gerät mit Bildschirmsperre.',
      failed:
        'Der Passkey konnte auf diesem Gerät nicht verwendet werden. Bitte versuchen Sie es noch einmal oder verwenden Sie einen Passkey auf einem anderen Gerät.',
      exists:
        'Auf diesem Gerät ist bereits ein Passkey für Ihr Konto. Verwenden Sie für einen neuen ein anderes Gerät.',
      'no-script':
        'Passkeys brauchen JavaScript. Bitte schalten Sie es für diese Seite ein und laden Sie sie neu; sonst braucht es hier nichts.',
      'not-enrolled':
        'Dieses Zertifikat wird mit einem Passkey freigegeben, aber Ihr Konto hat keinen, der hier verwendet werden kann. Bitte fügen Sie auf den Seiten Ihres Kontos einen hinzu und beginnen Sie in der Anwendung von vorn.',
      needed:
        'Ein Passwort reicht hierfür nicht, denn Ihr Konto hat einen Passkey. Bitte melden Sie sich mit dem Passkey an.',
      unknown:
        'Dieser Passkey wird hier nicht angenommen. Vielleicht wurde er entfernt oder gehört zu einem anderen Konto. Bitte verwenden Sie einen anderen Passkey oder einen anderen Weg.',
      expired:
        'Diese Antwort kam zu spät oder wurde schon einmal gegeben. Bitte versuchen Sie es noch einmal.',
      cloned:
        'Dieser Passkey wurde abgelehnt: Er sieht aus, als sei er kopiert worden. Es wurde nichts getan. Bitte verwenden Sie einen anderen Weg, entfernen Sie den Passkey aus Ihrem Konto und melden Sie es Ihrem Signaturdienst.',
      refused:
        'Die Antwort des Passkeys konnte nicht angenommen werden. Es wurde nichts getan. Bitte versuchen Sie es noch einmal; geschieht es wieder, wenden Sie sich an Ihren Signaturdienst.',
      taken:
        'Dieser Passkey ist bereits in Verwendung. Bitte verwenden Sie ein anderes Gerät oder entfernen Sie ihn dort zuerst.',
    },
  },
  otp: {
    label: 'Einmalcode',
    hint: '6 Ziffern aus Ihrer Authenticator-App',
    problems: {
      'wrong-code':
        'Der Einmalcode ist nicht richtig. Bitte geben Sie den ein, den Ihre App jetzt anzeigt oder der Ihnen zuletzt gesendet wurde.',
      'used-code':
        'Dieser Einmalcode wurde bereits verwendet. Bitte warten Sie, bis Ihre App den nächsten anzeigt.',
      'used-sent-code':
        'Dieser Code wurde bereits verwendet, oder es wurde inzwischen ein neuerer gesendet. Bitte geben Sie den neuesten ein oder fordern Sie einen weiteren an.',
      'expired-code': 'Dieser Code ist abgelaufen. Bitte fordern Sie einen neuen an.',
      'wrong-recovery-code':
        'Das ist keiner Ihrer Wiederherstellungscodes und kein gültiger Einrichtungscode. Bitte prüfen Sie ihn Zeichen für Zeichen oder bitten Sie Ihren Signaturdienst um einen neuen Einrichtungscode.',
      'used-recovery-code':
        'Dieser Wiederherstellungscode wurde bereits verwendet. Bitte streichen Sie ihn und nehmen Sie einen anderen.',
    },
  },
  locked: (until) => [
    'Es gab zu viele falsche Eingaben. Zu Ihrem Schutz ist die Eingabe bis zum ',
    until,
    ' gesperrt. Bitte versuchen Sie es danach noch einmal. Waren Sie das nicht, sagen Sie es Ihrem Signaturdienst.',
  ],
}

export const PAGE_MESSAGES: Record<Language, PageMessages> = { en, de }
