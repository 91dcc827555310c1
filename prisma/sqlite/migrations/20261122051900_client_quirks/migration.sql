-- AlterTable
ALTER TABLE "Client" ADD COLUMN "quirks" TEXT NOT NULL DEFAULT '[]';
