//! Fragmented MP4 (ISO/IEC 14496-12): the initialization section of tracks, and fragments of samples.
//!
//! Belongs here: boxes and their bytes. Does not: which samples go into a fragment, or when.
//!
//! All times are in the tracks' timescale, [`TIMESCALE`].

use std::num::{NonZeroU16, NonZeroU32};

use bytes::{BufMut as _, Bytes, BytesMut};
use shiguredo_mp4::{
    BoxSize, BoxType, Either, Encode as _, FixedPointNumber, Mp4FileTime, SampleFlags, Utf8String,
    boxes::{
        AudioSampleEntryFields, Brand, DinfBox, EsdsBox, FtypBox, HdlrBox, MdhdBox, MdiaBox,
        MfhdBox, MinfBox, MoofBox, MoovBox, Mp4aBox, MvexBox, MvhdBox, SampleEntry, SmhdBox,
        StblBox, StcoBox, StscBox, StsdBox, StszBox, SttsBox, TfdtBox, TfhdBox, TkhdBox, TrafBox,
        TrakBox, TrexBox, TrunBox, TrunSample, UnknownBox, VisualSampleEntryFields, VmhdBox,
    },
    descriptors::{DecoderConfigDescriptor, DecoderSpecificInfo, EsDescriptor, SlConfigDescriptor},
};
use thiserror::Error;

/// Ticks a second of every track: that of RTP video, so that times pass through as they came.
pub const TIMESCALE: NonZeroU32 = NonZeroU32::new(90_000).unwrap();

/// A description that cannot be put into boxes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("these tracks cannot be written as MP4: {0}")]
pub struct BadTrack(String);

impl From<shiguredo_mp4::Error> for BadTrack {
    fn from(error: shiguredo_mp4::Error) -> Self {
        Self(error.to_string())
    }
}

/// What a track holds. The first of a file has number 1, and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Track<'a> {
    /// H.264 or H.265.
    Video {
        /// `avc1` or `hvc1`: parameter sets are in `config` alone.
        sample_entry: [u8; 4],
        /// `avcC` or `hvcC`.
        config_box: [u8; 4],
        /// The decoder configuration record, passed through as it is.
        config: &'a [u8],
        /// Pixels.
        width: u16,
        /// Pixels.
        height: u16,
    },
    /// AAC.
    Audio {
        /// Hz.
        sample_rate: u32,
        /// How many.
        channels: u16,
        /// The AudioSpecificConfig.
        config: &'a [u8],
    },
}

/// The initialization section: `ftyp` and `moov`.
pub fn init(tracks: &[Track<'_>]) -> Result<Bytes, BadTrack> {
    let ftyp = FtypBox {
        major_brand: Brand::ISO6,
        minor_version: 0,
        compatible_brands: vec![Brand::ISO6, Brand::new(*b"cmfc"), Brand::new(*b"mp41")],
    };
    let numbered = || (1..).zip(tracks);
    let trex = |(track_id, _)| TrexBox {
        track_id,
        default_sample_description_index: 1,
        default_sample_duration: 0,
        default_sample_size: 0,
        default_sample_flags: SampleFlags::empty(),
    };
    let moov = MoovBox {
        mvhd_box: MvhdBox {
            creation_time: Mp4FileTime::default(),
            modification_time: Mp4FileTime::default(),
            timescale: TIMESCALE,
            duration: 0,
            rate: MvhdBox::DEFAULT_RATE,
            volume: MvhdBox::DEFAULT_VOLUME,
            matrix: MvhdBox::DEFAULT_MATRIX,
            next_track_id: numbered().last().map_or(1, |(id, _)| id + 1),
        },
        trak_boxes: numbered().map(|(id, track)| trak(id, track)).collect::<Result<_, _>>()?,
        mvex_box: Some(MvexBox {
            mehd_box: None,
            trex_boxes: numbered().map(trex).collect(),
            unknown_boxes: Vec::new(),
        }),
        unknown_boxes: Vec::new(),
    };
    Ok([ftyp.encode_to_vec()?, moov.encode_to_vec()?].concat().into())
}

fn trak(track_id: u32, track: &Track<'_>) -> Result<TrakBox, BadTrack> {
    let pixels = |n: u16| FixedPointNumber::new(i16::try_from(n).unwrap_or(i16::MAX), 0);
    let (handler_type, volume, width, height) = match track {
        Track::Video { width, height, .. } => (
            HdlrBox::HANDLER_TYPE_VIDE,
            TkhdBox::DEFAULT_VIDEO_VOLUME,
            pixels(*width),
            pixels(*height),
        ),
        Track::Audio { .. } => {
            (HdlrBox::HANDLER_TYPE_SOUN, TkhdBox::DEFAULT_AUDIO_VOLUME, pixels(0), pixels(0))
        }
    };
    let media_header = match track {
        Track::Video { .. } => Either::B(VmhdBox::default()),
        Track::Audio { .. } => Either::A(SmhdBox::default()),
    };
    let time = Mp4FileTime::default();
    Ok(TrakBox {
        tkhd_box: TkhdBox {
            flag_track_enabled: true,
            flag_track_in_movie: true,
            flag_track_in_preview: false,
            flag_track_size_is_aspect_ratio: false,
            creation_time: time,
            modification_time: time,
            track_id,
            duration: 0,
            layer: TkhdBox::DEFAULT_LAYER,
            alternate_group: TkhdBox::DEFAULT_ALTERNATE_GROUP,
            volume,
            matrix: TkhdBox::DEFAULT_MATRIX,
            width,
            height,
        },
        edts_box: None,
        mdia_box: MdiaBox {
            mdhd_box: MdhdBox {
                creation_time: time,
                modification_time: time,
                timescale: TIMESCALE,
                duration: 0,
                language: MdhdBox::LANGUAGE_UNDEFINED,
            },
            hdlr_box: HdlrBox {
                handler_type,
                name: Utf8String::EMPTY.into_null_terminated_bytes(),
            },
            minf_box: MinfBox {
                smhd_or_vmhd_box: Some(media_header),
                dinf_box: DinfBox::LOCAL_FILE,
                stbl_box: StblBox {
                    stsd_box: StsdBox { entries: vec![sample_entry(track)?] },
                    // The samples are in the fragments.
                    stts_box: SttsBox { entries: Vec::new() },
                    ctts_box: None,
                    cslg_box: None,
                    stsc_box: StscBox { entries: Vec::new() },
                    stsz_box: StszBox::Variable { entry_sizes: Vec::new() },
                    stco_or_co64_box: Either::A(StcoBox { chunk_offsets: Vec::new() }),
                    stss_box: None,
                    sdtp_box: None,
                    unknown_boxes: Vec::new(),
                },
                unknown_boxes: Vec::new(),
            },
            unknown_boxes: Vec::new(),
        },
        unknown_boxes: Vec::new(),
    })
}

fn sample_entry(track: &Track<'_>) -> Result<SampleEntry, BadTrack> {
    match *track {
        Track::Video { sample_entry, config_box, config, width, height } => {
            let visual = VisualSampleEntryFields {
                data_reference_index: VisualSampleEntryFields::DEFAULT_DATA_REFERENCE_INDEX,
                width,
                height,
                horizresolution: VisualSampleEntryFields::DEFAULT_HORIZRESOLUTION,
                vertresolution: VisualSampleEntryFields::DEFAULT_VERTRESOLUTION,
                frame_count: VisualSampleEntryFields::DEFAULT_FRAME_COUNT,
                compressorname: VisualSampleEntryFields::NULL_COMPRESSORNAME,
                depth: VisualSampleEntryFields::DEFAULT_DEPTH,
            };
            // Taken apart and written again, a record of a camera that leaves out fields which the
            // profile asks for would be an error; decoders do without them.
            let mut payload = visual.encode_to_vec()?;
            payload.extend(raw(config_box, config.to_vec()).encode_to_vec()?);
            Ok(SampleEntry::Unknown(raw(sample_entry, payload)))
        }
        Track::Audio { sample_rate, channels, config } => Ok(SampleEntry::Mp4a(Mp4aBox {
            audio: AudioSampleEntryFields {
                data_reference_index: NonZeroU16::MIN,
                channelcount: channels,
                samplesize: AudioSampleEntryFields::DEFAULT_SAMPLESIZE,
                // Rates that the field has no room for stand in the configuration alone.
                samplerate: FixedPointNumber::new(u16::try_from(sample_rate).unwrap_or(0), 0),
            },
            esds_box: EsdsBox {
                es: EsDescriptor {
                    es_id: EsDescriptor::MIN_ES_ID,
                    stream_priority: EsDescriptor::LOWEST_STREAM_PRIORITY,
                    depends_on_es_id: None,
                    url_string: None,
                    ocr_es_id: None,
                    dec_config_descr: DecoderConfigDescriptor {
                        object_type_indication:
                            DecoderConfigDescriptor::OBJECT_TYPE_INDICATION_AUDIO_ISO_IEC_14496_3,
                        stream_type: DecoderConfigDescriptor::STREAM_TYPE_AUDIO,
                        up_stream: DecoderConfigDescriptor::UP_STREAM_FALSE,
                        buffer_size_db: Default::default(),
                        max_bitrate: 0,
                        avg_bitrate: 0,
                        dec_specific_info: Some(DecoderSpecificInfo { payload: config.to_vec() }),
                    },
                    sl_config_descr: SlConfigDescriptor,
                },
            },
            unknown_boxes: Vec::new(),
        })),
    }
}

fn raw(kind: [u8; 4], payload: Vec<u8>) -> UnknownBox {
    let size = u32::try_from(payload.len() + 8).unwrap_or(u32::MAX);
    UnknownBox { box_type: BoxType::Normal(kind), box_size: BoxSize::U32(size), payload }
}

/// One picture or audio frame.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Until the next sample is decoded.
    pub duration: u32,
    /// From decoding to showing.
    pub offset: i32,
    /// Whether decoding can begin with it.
    pub is_sync: bool,
    /// Its bytes.
    pub data: Bytes,
}

/// The samples of one track in a fragment, without a gap between them.
#[derive(Debug, Clone)]
pub struct Run {
    /// From 1, in the order of [`init`].
    pub track_id: u32,
    /// When the first one is decoded.
    pub decode_time: u64,
    /// In the order they are decoded in.
    pub samples: Vec<Sample>,
}

/// A fragment, `moof` and `mdat`. `sequence` grows with each one.
pub fn fragment(sequence: u32, runs: &[Run]) -> Result<Bytes, BadTrack> {
    // Where the samples begin is only known when the box is written; its size does not change by it.
    let head = moof(sequence, runs, 0).encode_to_vec()?.len();
    let data: usize = runs.iter().flat_map(|run| &run.samples).map(|it| it.data.len()).sum();
    let too_large = |_| BadTrack("a fragment of more than 2 GiB".into());
    let begin = i32::try_from(head + MDAT_HEADER).map_err(too_large)?;
    let mdat = u32::try_from(data + MDAT_HEADER).map_err(too_large)?;
    i32::try_from(data).map_err(too_large)?;
    let mut out = BytesMut::with_capacity(head + MDAT_HEADER + data);
    out.put_slice(&moof(sequence, runs, begin).encode_to_vec()?);
    out.put_u32(mdat);
    out.put_slice(b"mdat");
    for sample in runs.iter().flat_map(|run| &run.samples) {
        out.put_slice(&sample.data);
    }
    Ok(out.freeze())
}

const MDAT_HEADER: usize = 8;

fn moof(sequence_number: u32, runs: &[Run], mut begin: i32) -> MoofBox {
    let traf_boxes = runs.iter().map(|run| {
        let data_offset = begin;
        begin += run.samples.iter().map(|sample| sample.data.len() as i32).sum::<i32>();
        traf(run, data_offset)
    });
    MoofBox {
        mfhd_box: MfhdBox { sequence_number },
        traf_boxes: traf_boxes.collect(),
        unknown_boxes: Vec::new(),
    }
}

/// `sample_depends_on`: 2 on none, 1 on others, which then also says that it is no sync sample.
const SYNC: SampleFlags = SampleFlags::from_fields(0, 2, 0, 0, 0, false, 0);
const DEPENDENT: SampleFlags = SampleFlags::from_fields(0, 1, 0, 0, 0, true, 0);

fn traf(run: &Run, data_offset: i32) -> TrafBox {
    let reordered = run.samples.iter().any(|sample| sample.offset != 0);
    let samples = run.samples.iter().map(|sample| TrunSample {
        duration: Some(sample.duration),
        size: Some(sample.data.len() as u32),
        flags: Some(if sample.is_sync { SYNC } else { DEPENDENT }),
        composition_time_offset: reordered.then_some(sample.offset),
    });
    TrafBox {
        tfhd_box: TfhdBox {
            track_id: run.track_id,
            base_data_offset: None,
            sample_description_index: None,
            default_sample_duration: None,
            default_sample_size: None,
            default_sample_flags: None,
            duration_is_empty: false,
            default_base_is_moof: true,
        },
        tfdt_box: Some(TfdtBox { version: 1, base_media_decode_time: run.decode_time }),
        trun_boxes: vec![TrunBox {
            data_offset: Some(data_offset),
            first_sample_flags: None,
            samples: samples.collect(),
        }],
        unknown_boxes: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use shiguredo_mp4::Decode as _;

    use super::*;

    fn sample(bytes: &'static [u8], offset: i32) -> Sample {
        Sample { duration: 3000, offset, is_sync: offset == 0, data: Bytes::from_static(bytes) }
    }

    #[test]
    fn a_fragments_offsets_point_at_each_tracks_bytes() {
        let runs = [
            Run { track_id: 1, decode_time: 7, samples: vec![sample(b"key", 0), sample(b"b", -9)] },
            Run { track_id: 2, decode_time: 1 << 40, samples: vec![sample(b"sound", 0)] },
        ];
        let bytes = fragment(3, &runs).unwrap();
        let (moof, size) = MoofBox::decode(&bytes).unwrap();
        assert_eq!(&bytes[size + 4..], b"mdatkeybsound");
        assert_eq!(moof.mfhd_box.sequence_number, 3);
        let begin = |n: usize| moof.traf_boxes[n].trun_boxes[0].data_offset.unwrap() as usize;
        assert_eq!(&bytes[begin(0)..begin(1)], b"keyb");
        assert_eq!(&bytes[begin(1)..], b"sound");
        let first = &moof.traf_boxes[0].trun_boxes[0].samples;
        assert_eq!(first[1].composition_time_offset, Some(-9));
        assert!(first[1].flags.unwrap().sample_is_non_sync_sample());
        let decode_time = moof.traf_boxes[1].tfdt_box.as_ref().unwrap().base_media_decode_time;
        assert_eq!(decode_time, 1 << 40);
    }

    #[test]
    fn a_cameras_configuration_record_passes_through_untouched() {
        // Profile High, and none of the fields that its record would have to end with.
        let config = [1, 100, 0, 31, 0xff, 0xe1, 0, 2, 0x67, 0x64, 1, 0, 1, 0x68];
        let video = Track::Video {
            sample_entry: *b"avc1",
            config_box: *b"avcC",
            config: &config,
            width: 1920,
            height: 1080,
        };
        let audio = Track::Audio { sample_rate: 48_000, channels: 2, config: &[0x11, 0x90] };
        let bytes = init(&[video, audio]).unwrap();
        let (_, ftyp) = FtypBox::decode(&bytes).unwrap();
        let (moov, _) = MoovBox::decode(&bytes[ftyp..]).unwrap();
        assert_eq!(moov.trak_boxes.len(), 2);
        assert_eq!(moov.mvex_box.unwrap().trex_boxes[1].track_id, 2);
        let begin = bytes.windows(4).position(|it| it == b"avcC").unwrap() + 4;
        assert_eq!(&bytes[begin..begin + config.len()], config);
    }
}
