// Package support makes the file that somebody sends along when asking for help: what
// a stranger needs to see to find out what is wrong with a box, and nothing that the
// stranger could use.
//
// Everything is left out unless it is allowed. What the program knows by itself, such
// as versions, counts and the settings that the caller names, goes in as it is
// ([Bundle.Facts]). All text, such as reasons and lines of the log, passes a
// [Scrubber] word by word ([Bundle.Told], [Bundle.Log]): words and numbers stay,
// everything else becomes [logbook.LeftOut], so that a secret needs no rule of its own
// to be kept out.
package support
