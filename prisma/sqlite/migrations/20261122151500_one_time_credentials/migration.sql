-- AlterTable
ALTER TABLE "Credential" ADD COLUMN "endsAt" DATETIME;
ALTER TABLE "Credential" ADD COLUMN "session" TEXT;

-- CreateIndex
CREATE INDEX "Credential_endsAt_idx" ON "Credential"("endsAt");
