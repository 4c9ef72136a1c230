"""Hold the words of the sample pages: public-domain prose, and letters and bills made up here."""

from __future__ import annotations

__all__ = [
    "ALICE",
    "CONSTITUTION",
    "HOLMES",
    "INAUGURAL",
    "LETTER",
    "NOTICE",
    "RECEIPT",
    "REGULATIONS",
    "TABLE",
    "WALDEN",
]

#: Lewis Carroll, Alice's Adventures in Wonderland (1865), chapter I.
ALICE = (
    "Either the well was very deep, or she fell very slowly, for she had plenty of time as she"
    " went down to look about her and to wonder what was going to happen next. First, she tried to"
    " look down and make out what she was coming to, but it was too dark to see anything; then she"
    " looked at the sides of the well, and noticed that they were filled with cupboards and"
    " book-shelves; here and there she saw maps and pictures hung upon pegs. She took down a jar"
    " from one of the shelves as she passed; it was labelled ‘ORANGE MARMALADE’, but to her great"
    " disappointment it was empty: she did not like to drop the jar for fear of killing somebody,"
    " so managed to put it into one of the cupboards as she fell past it.",
    "‘Well!’ thought Alice to herself, ‘after such a fall as this, I shall think nothing of"
    " tumbling down stairs! How brave they’ll all think me at home! Why, I wouldn’t say anything"
    " about it, even if I fell off the top of the house!’ (Which was very likely true.)",
    "Down, down, down. Would the fall never come to an end! ‘I wonder how many miles I’ve fallen by"
    " this time?’ she said aloud. ‘I must be getting somewhere near the centre of the earth. Let me"
    " see: that would be four thousand miles down, I think—’ (for, you see, Alice had learnt"
    " several things of this sort in her lessons in the schoolroom, and though this was not a very"
    " good opportunity for showing off her knowledge, as there was no one to listen to her, still"
    " it was good practice to say it over) ‘—yes, that’s about the right distance—but then I wonder"
    " what Latitude or Longitude I’ve got to?’",
)

#: Arthur Conan Doyle, A Scandal in Bohemia (1891).
HOLMES = (
    "To Sherlock Holmes she is always the woman. I have seldom heard him mention her under any"
    " other name. In his eyes she eclipses and predominates the whole of her sex. It was not that"
    " he felt any emotion akin to love for Irene Adler. All emotions, and that one particularly,"
    " were abhorrent to his cold, precise but admirably balanced mind. He was, I take it, the most"
    " perfect reasoning and observing machine that the world has seen, but as a lover he would have"
    " placed himself in a false position. He never spoke of the softer passions, save with a gibe"
    " and a sneer.",
    "I had seen little of Holmes lately. My marriage had drifted us away from each other. My own"
    " complete happiness, and the home-centred interests which rise up around the man who first"
    " finds himself master of his own establishment, were sufficient to absorb all my attention,"
    " while Holmes, who loathed every form of society with his whole Bohemian soul, remained in our"
    " lodgings in Baker Street, buried among his old books.",
)

#: Abraham Lincoln, second inaugural address (4 March 1865).
INAUGURAL = (
    "At this second appearing to take the oath of the Presidential office there is less occasion"
    " for an extended address than there was at the first. Then a statement somewhat in detail of a"
    " course to be pursued seemed fitting and proper. Now, at the expiration of four years, during"
    " which public declarations have been constantly called forth on every point and phase of the"
    " great contest which still absorbs the attention and engrosses the energies of the nation,"
    " little that is new could be presented. The progress of our arms, upon which all else chiefly"
    " depends, is as well known to the public as to myself, and it is, I trust, reasonably"
    " satisfactory and encouraging to all. With high hope for the future, no prediction in regard"
    " to it is ventured.",
    "On the occasion corresponding to this four years ago all thoughts were anxiously directed to"
    " an impending civil war. All dreaded it; all sought to avert it. While the inaugural address"
    " was being delivered from this place, devoted altogether to saving the Union without war,"
    " urgent agents were in the city seeking to destroy it without war—seeking to dissolve the"
    " Union and divide effects by negotiation. Both parties deprecated war, but one of them would"
    " make war rather than let the nation survive, and the other would accept war rather than let"
    " it perish, and the war came.",
    "With malice toward none, with charity for all, with firmness in the right as God gives us to"
    " see the right, let us strive on to finish the work we are in, to bind up the nation’s wounds,"
    " to care for him who shall have borne the battle and for his widow and his orphan, to do all"
    " which may achieve and cherish a just and lasting peace among ourselves and with all nations.",
)

#: Henry David Thoreau, Walden (1854), the opening.
WALDEN = (
    "When I wrote the following pages, or rather the bulk of them, I lived alone, in the woods, a"
    " mile from any neighbor, in a house which I had built myself, on the shore of Walden Pond, in"
    " Concord, Massachusetts, and earned my living by the labor of my hands only. I lived there two"
    " years and two months. At present I am a sojourner in civilized life again.",
    "I should not obtrude my affairs so much on the notice of my readers if very particular"
    " inquiries had not been made by my townsmen concerning my mode of life, which some would call"
    " impertinent, though they do not appear to me at all impertinent, but, considering the"
    " circumstances, very natural and pertinent. Some have asked what I got to eat; if I did not"
    " feel lonesome; if I was not afraid; and the like.",
)

#: The Constitution of the United States (1787) and its first amendments: heading, paragraphs.
CONSTITUTION = (
    (
        "PREAMBLE",
        (
            "We the People of the United States, in Order to form a more perfect Union, establish"
            " Justice, insure domestic Tranquility, provide for the common defence, promote the"
            " general Welfare, and secure the Blessings of Liberty to ourselves and our Posterity,"
            " do ordain and establish this Constitution for the United States of America.",
            "All legislative Powers herein granted shall be vested in a Congress of the United"
            " States, which shall consist of a Senate and House of Representatives.",
        ),
    ),
    (
        "ARTICLE II",
        (
            "The executive Power shall be vested in a President of the United States of America."
            " He shall hold his Office during the Term of four Years, and, together with the Vice"
            " President, chosen for the same Term, be elected, as follows:",
            "Each State shall appoint, in such Manner as the Legislature thereof may direct, a"
            " Number of Electors, equal to the whole Number of Senators and Representatives to"
            " which the State may be entitled in the Congress.",
        ),
    ),
    (
        "AMENDMENTS",
        (
            "Congress shall make no law respecting an establishment of religion, or prohibiting"
            " the free exercise thereof; or abridging the freedom of speech, or of the press; or"
            " the right of the people peaceably to assemble, and to petition the Government for a"
            " redress of grievances.",
            "The right of the people to be secure in their persons, houses, papers, and effects,"
            " against unreasonable searches and seizures, shall not be violated, and no Warrants"
            " shall issue, but upon probable cause, supported by Oath or affirmation, and"
            " particularly describing the place to be searched, and the persons or things to be"
            " seized.",
        ),
    ),
)

#: A letter, by paragraphs; short ones and those with line ends are set line by line.
LETTER = (
    "HOLLOWAY & FINCH\nMakers of Surveying Instruments\n14 Canal Street, Lowell, Mass.",
    "March 9, 1951",
    "Mr. Edwin T. Harlan\nCounty Engineer's Office\nRoom 207, Court House\nMontpelier, Vermont",
    "Re: Your order no. 3318, transit no. 7",
    "Dear Mr. Harlan:",
    "Thank you for your letter of March 2. The transit that you returned has been cleaned and"
    " adjusted, and the cracked level vial was replaced at no charge. We found the horizontal axis"
    " out of true by 0.004 inch, which explains the error of nearly 20 seconds that you noticed in"
    " closing the Barre traverse.",
    "The instrument will leave here by express on Monday. Please examine it at once and let us"
    " know whether (a) the tangent screws turn freely, and (b) the compass needle swings without"
    " touching the glass. Our charge is $18.75, net 30 days; a bill is enclosed.",
    "Very truly yours,",
    "George M. Finch\nShop Manager",
    "GMF:rk\nEnc. (1)",
)

#: A table of gauge readings: title, head, rows.
TABLE = (
    "Table 4. Readings of the river gauges, spring 1938",
    ("Station", "Date", "Stage (ft)", "Flow (cfs)", "Change"),
    (
        ("Ashford Mill", "April 3", "6.42", "1,180", "+0.31"),
        ("Beaver Bridge", "April 3", "9.07", "2,645", "+0.58"),
        ("Cold Spring", "April 4", "3.15", "402", "-0.06"),
        ("Dunmore", "April 4", "11.80", "4,910", "+1.24"),
        ("East Fork", "April 6", "7.36", "1,733", "+0.09"),
        ("Fairlee Ferry", "April 6", "14.22", "8,057", "+2.70"),
        ("Granite Falls", "April 7", "5.51", "968", "-0.18"),
        ("Hatch Pond", "April 9", "2.03", "115", "0.00"),
    ),
    "Stages are above the zero of each gauge. Flow at Fairlee Ferry is estimated.",
)

#: A bill of a shop: "|" stands between what is at the left and at the right of a line.
RECEIPT = (
    "CORNER HARDWARE\n27 MILL LANE\nTEL. 555-0143",
    "06/14/1997 10:42|REG 2",
    "WOOD SCREWS 8x40|3.95\nPAINT BRUSH 2 IN|4.49\nSANDPAPER 120 (5)|2.75"
    "\nHINGE BRASS 2 @ 6.20|12.40\nLINSEED OIL 1L|7.80",
    "SUBTOTAL|31.39\nTAX 6.0%|1.88\nTOTAL|$33.27\nCASH|40.00\nCHANGE|6.73",
    "ITEMS: 6|#004182",
    "THANK YOU! PLEASE KEEP\nTHIS SLIP FOR RETURNS.",
)

#: A notice: heading, lines, last line.
NOTICE = (
    "NIGHT SHIFT NOTICE",
    (
        "The reading room closes at 9:30 p.m.",
        "Switch off lamps 1 to 12 before leaving.",
        "Maps and plates stay in drawer C-4.",
        "Questions? Call the desk, extension 58.",
    ),
    "Thank you for your help.",
)

#: Rules of a made-up archive: title, numbered items.
REGULATIONS = (
    "RULES FOR THE READING ROOM",
    (
        "Readers sign the register on each visit and show a card issued within the last 12 months.",
        "Only pencils may be used. Ink, scissors and adhesive tape are left at the desk.",
        "Up to five boxes may be ordered a day; orders received before 11 a.m. are brought at 2"
        " p.m., later ones on the next morning.",
        "Copies cost $0.25 a page (50 pages at most). Bound volumes, plans over 24 x 36 inches and"
        " photographs are not copied.",
        "Quotations name the collection, box and folder, e.g. “Harlan Papers, box 7, folder 12.”",
    ),
)
