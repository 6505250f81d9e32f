"use strict";
// What this browser keeps: drafts, the name typed last, and reviews that were signed here and no run has taken up yet.
const cd40lStore = (() => {
  const SIGNED = "cd40l-flow signed ", NAME = "cd40l-flow reviewer";
  const read = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const write = (key, value) => { try { localStorage.setItem(key, value); return true; } catch { return false; } };
  const forget = (key) => { try { localStorage.removeItem(key); } catch { /* nothing was kept */ } };
  const parsed = (text, otherwise) => { try { return JSON.parse(text) ?? otherwise; } catch { return otherwise; } };

  // Those of a sample that are not among the digests that a page knows, each as {file, text, digest, saved}.
  function waiting(sample, known) {
    const kept = parsed(read(SIGNED + sample), []);
    return (Array.isArray(kept) ? kept : []).filter((one) => !known.some((digest) => one.digest.startsWith(digest)));
  }
  const keepWaiting = (sample, list) => (list.length ? write(SIGNED + sample, JSON.stringify(list)) : forget(SIGNED + sample));

  return { read, write, forget, parsed, waiting, keepWaiting, SIGNED, NAME };
})();
